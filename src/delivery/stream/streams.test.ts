import { afterEach, describe, expect, it, jest } from '@jest/globals'
import type { Pool } from 'pg'
import { pino } from 'pino'
import type { Hint } from '../../platform/hints/hint.js'
import type { Hints } from '../../platform/hints/hints.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { DeliveryMetrics } from '../delivery-metrics.js'
import { Interest } from '../interest.js'
import type { Stream } from './stream.js'
import { Streams } from './streams.js'

const metrics = new DeliveryMetrics(new Metrics())

/** Hints alone are tested here; test/isolation/ has the sweep. */
const pool = { query: () => Promise.resolve({ rows: [] }) } as unknown as Pool

/** Nodes whose hints to each other are on their way until the test delivers them. */
class SlowNetwork {
  private readonly nodes: ((hint: Hint) => void)[] = []
  private readonly recoveries: (() => void)[] = []
  private underWay: { from: number; hint: Hint }[] = []

  node(): Streams {
    const index = this.nodes.length
    const hints = {
      subscribe: (listener: (hint: Hint) => void) => {
        this.nodes.push(listener)
        return () => undefined
      },
      publish: (published: Hint[]) => {
        for (const hint of published) this.underWay.push({ from: index, hint })
        for (const hint of published) this.nodes[index]?.(hint)
      },
      onRecovered: (listener: () => void) => void this.recoveries.push(listener),
    } as unknown as Hints
    return new Streams(new Interest(hints), hints, metrics, pool, pino({ level: 'silent' }))
  }

  /** What Redis may keep, and send once more to everybody. */
  overheard(): Hint[] {
    return this.underWay.map(({ hint }) => hint)
  }
  repeat(hints: readonly Hint[]): void {
    for (const hint of hints) this.underWay.push({ from: -1, hint })
  }

  /** Hints that are under way get lost; later this node notices that others are heard again. */
  loseAll(): void {
    this.underWay = []
  }
  recover(index: number): void {
    this.recoveries[index]?.()
  }

  deliver(): void {
    for (let rounds = 0; this.underWay.length > 0; rounds++) {
      if (rounds > 10) throw new Error('The nodes never stop telling each other')
      for (const { from, hint } of this.underWay.splice(0)) {
        for (const [index, node] of this.nodes.entries()) if (index !== from) node(hint)
      }
    }
  }
}

function stream(streams: Streams, deviceId = 7n) {
  const closed: number[] = []
  const made = {
    caller: { deviceId },
    hear: () => undefined,
    close: (code: number) => {
      closed.push(code)
      streams.remove(made as unknown as Stream)
    },
  }
  streams.add(made as unknown as Stream)
  return closed
}

afterEach(() => void jest.restoreAllMocks())

describe('the streams of a device over several nodes', () => {
  it('opened at once: exactly one stays, whichever hint comes first', () => {
    for (let round = 0; round < 20; round++) {
      const network = new SlowNetwork()
      const nodes = [network.node(), network.node(), network.node()]
      const closed = nodes.map((node) => stream(node))
      network.deliver()
      expect(closed.flat()).toEqual([4409, 4409])
      expect(nodes.map((node) => node.size).toSorted()).toEqual([0, 0, 1])
    }
  })

  it('opened one after the other: the later one stays, also where its clock is behind', () => {
    const network = new SlowNetwork()
    const [here, there] = [network.node(), network.node()]
    const first = stream(here)
    network.deliver()
    const [elapsed, clock] = [performance.now() + 1_000, Date.now() - 5_000]
    jest.spyOn(performance, 'now').mockReturnValue(elapsed)
    jest.spyOn(Date, 'now').mockReturnValue(clock)
    const second = stream(there)
    network.deliver()
    expect([first, second]).toEqual([[4409], []])
  })

  it.each([
    ['both nodes', [0, 1]],
    ['the node of the older', [0]],
    ['the node of the newer', [1]],
  ])('opened while hints were lost: the newer one stays once %s noticed', (_who, recovered) => {
    const network = new SlowNetwork()
    const [here, there] = [network.node(), network.node()]
    const older = stream(here)
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 5)
    const newer = stream(there)
    network.loseAll()
    expect([older, newer]).toEqual([[], []])
    for (const index of recovered) network.recover(index)
    network.deliver()
    expect([older, newer]).toEqual([[4409], []])
  })

  it('are not displaced by an old hint that somebody repeats', () => {
    const network = new SlowNetwork()
    const [here, there] = [network.node(), network.node()]
    stream(there)
    const old = network.overheard()
    network.deliver()
    const [elapsed, clock] = [performance.now() + 120_000, Date.now() + 120_000]
    jest.spyOn(performance, 'now').mockReturnValue(elapsed)
    jest.spyOn(Date, 'now').mockReturnValue(clock)
    const newest = stream(here)
    network.deliver()
    jest.spyOn(performance, 'now').mockReturnValue(elapsed + 10_000)
    network.repeat(old)
    network.deliver()
    expect(newest).toEqual([])
  })

  it('say that they gave way also when they were written down only after that', async () => {
    const asked: { name: string; values: unknown[] }[] = []
    let write: (answer: { rows: unknown[] }) => void = () => undefined
    const query = (statement: { name: string; values: unknown[] }) => {
      asked.push(statement)
      if (statement.name === 'insert_opened_streams') return new Promise((resolve) => (write = resolve))
      return Promise.resolve({ rows: [] })
    }
    let hear: (hint: Hint) => void = () => undefined
    const hints = { subscribe: (listener: typeof hear) => (hear = listener), publish: () => undefined, onRecovered: () => undefined }
    const streams = new Streams(
      new Interest(hints as unknown as Hints),
      hints as unknown as Hints,
      metrics,
      { query } as unknown as Pool,
      pino({ level: 'silent' }),
    )
    // Its closing handshake is not over before the end of the test.
    streams.add({ caller: { deviceId: 7n }, hear: () => undefined, close: () => undefined } as unknown as Stream)
    await new Promise((resolve) => void setImmediate(resolve))
    hear({ kind: 'displaced', deviceId: 7n, streamId: 'ffffffffffff-' })
    const streamId = (asked[0]!.values[1] as string[])[0]
    write({ rows: [{ id: 5n, streamId }] })
    await new Promise((resolve) => void setImmediate(resolve))
    expect(asked.map(({ name }) => name)).toEqual(['insert_opened_streams', 'delete_news'])
    expect(asked[1]!.values).toEqual([5n])
  })

  it('of another device are left alone', () => {
    const network = new SlowNetwork()
    const [here, there] = [network.node(), network.node()]
    const [one, other] = [stream(here, 1n), stream(there, 2n)]
    network.deliver()
    expect([one, other]).toEqual([[], []])
  })
})
