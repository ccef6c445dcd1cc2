import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { BenchGroup } from './scene.js'

const PROGRAM = fileURLToPath(new URL('traffic-program.js', import.meta.url))

/** What the generator's process is asked to do. */
export type Order =
  | { readonly do: 'register'; readonly url: string; readonly devices: number }
  | { readonly do: 'connect' }
  | { readonly do: 'disconnect' }
  | {
      readonly do: 'run'
      readonly way: 'stream' | 'http'
      readonly seconds: number
      /** Posts that wait for their answer at a time: a closed loop. */
      readonly inFlight: number
      /** Of the ciphertext of a message. */
      readonly bytes: number
      readonly groups: readonly BenchGroup[]
      /** Entries that come for each message, with the streams that are open. */
      readonly deliveriesEach: number
    }

/** What a run came to. */
export interface Report {
  readonly accepted: number
  readonly refused: number
  /** Of the posts, in seconds. */
  readonly seconds: number
  /** Entries that came by streams, and those that were out of order, doubled or after a hole. */
  readonly entries: number
  readonly wrong: number
  /** Of each post until its answer, in milliseconds. */
  readonly latencies: readonly number[]
  /** Of the generator. */
  readonly cpuSeconds: number
}

/** The generator, in a process of its own, so that what it takes is not counted for the server. */
export class Traffic {
  private constructor(private readonly child: ChildProcess) {}

  static start(): Traffic {
    return new Traffic(fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' }))
  }

  /** @returns client URIs */
  register(url: string, devices: number): Promise<string[]> {
    return this.ask({ do: 'register', url, devices }) as Promise<string[]>
  }

  async connect(): Promise<void> {
    await this.ask({ do: 'connect' })
  }

  async disconnect(): Promise<void> {
    await this.ask({ do: 'disconnect' })
  }

  run(order: Omit<Extract<Order, { do: 'run' }>, 'do'>): Promise<Report> {
    return this.ask({ do: 'run', ...order }) as Promise<Report>
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return
    const ended = once(this.child, 'exit')
    this.child.disconnect()
    await ended
  }

  private async ask(order: Order): Promise<unknown> {
    const answered = once(this.child, 'message') as Promise<[{ result?: unknown; error?: string }]>
    this.child.send(order)
    const [{ result, error }] = await answered
    if (error !== undefined) throw new Error(error)
    return result
  }
}
