import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Place, SoakProvider } from './providers.js'

const PROGRAM = fileURLToPath(new URL('hostile-program.js', import.meta.url))

/** What the hostile provider is told, and what it tells. */
export interface Told {
  readonly url?: string
  readonly outcomes?: readonly Record<string, string | number>[]
}

/** The hostile provider, in a process of its own: what it does must not slow the clients that measure. */
export class HostileProcess implements Place {
  private constructor(
    private readonly child: ChildProcess,
    readonly domain: string,
    readonly url: string,
  ) {}

  static async start(): Promise<HostileProcess> {
    const child = fork(PROGRAM, ['c.example'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [{ url }] = (await once(child, 'message')) as [Told]
    return new HostileProcess(child, 'c.example', url ?? '')
  }

  attack(victims: readonly SoakProvider[]): void {
    this.child.send(victims.map(({ domain, url }) => ({ domain, url })))
  }

  /** @returns how often each attack was tried, and how it was answered */
  async stop(): Promise<readonly Record<string, string | number>[]> {
    if (this.child.exitCode !== null || !this.child.connected) return []
    const ended = once(this.child, 'exit')
    const told = once(this.child, 'message') as Promise<[Told]>
    this.child.send('stop')
    const [{ outcomes = [] }] = await told
    await ended
    return outcomes
  }
}
