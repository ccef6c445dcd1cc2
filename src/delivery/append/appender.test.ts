import { describe, expect, it } from '@jest/globals'
import type { AppendItem, AppendOutcome } from './append.repository.js'
import { LANE_WAIT_MS, MicroBatcher } from './appender.js'

const item = (gid: number, mark: number): AppendItem => ({
  gid: BigInt(gid),
  deviceId: 1n,
  epoch: 0n,
  hash: Uint8Array.of(mark),
  bytes: Uint8Array.of(mark),
})
const accepted = (seq: number): AppendOutcome => ({
  kind: 'accepted',
  seq: BigInt(seq),
  epoch: 0n,
  chain: Buffer.alloc(32),
  incarnation: 1,
  groupId: Buffer.of(1),
  acceptedAt: new Date(0),
})

/** A log that answers when the test says so, and remembers what came together. */
function heldLog() {
  const batches: { marks: number[]; gids: bigint[]; answer: () => void }[] = []
  let seq = 0
  const write = (items: readonly AppendItem[]) =>
    new Promise<AppendOutcome[]>((resolve) => {
      const answer = () => resolve(items.map(() => accepted((seq += 1))))
      batches.push({ marks: items.map(({ bytes }) => bytes[0] ?? -1), gids: items.map(({ gid }) => gid), answer })
    })
  return { batches, write }
}
const settled = () => new Promise((resolve) => void setImmediate(resolve))

describe('the micro-batcher', () => {
  it('writes at once when idle', () => {
    const log = heldLog()
    void new MicroBatcher(log.write, () => undefined).append(item(1, 7))
    expect(log.batches.map(({ marks }) => marks)).toEqual([[7]])
  })

  it('collects what arrives while a group is being written, in order, and never writes one group twice at once', async () => {
    const log = heldLog()
    const batcher = new MicroBatcher(log.write, () => undefined)
    const all = [1, 2, 3].map((mark) => batcher.append(item(1, mark)))
    const other = batcher.append(item(2, 9))
    expect(log.batches.map(({ marks }) => marks)).toEqual([[1], [9]])
    log.batches[0]?.answer()
    await settled()
    expect(log.batches.map(({ marks }) => marks)).toEqual([[1], [9], [2, 3]])
    log.batches.forEach(({ answer }) => answer())
    expect((await Promise.all([...all, other])).map((outcome) => outcome.kind)).toEqual(Array(4).fill('accepted'))
  })

  it('has at most two writers in flight', () => {
    const log = heldLog()
    const batcher = new MicroBatcher(log.write, () => undefined)
    for (const gid of [1, 2, 3, 4]) void batcher.append(item(gid, gid))
    expect(log.batches).toHaveLength(2)
  })

  it('tries a failed batch again item by item, so that one bad message fails alone', async () => {
    const log = heldLog()
    const write = (items: readonly AppendItem[]) =>
      items.some(({ bytes }) => bytes[0] === 13) ? Promise.reject(new Error('bad')) : Promise.resolve(items.map(() => accepted(1)))
    let gate = true
    const batcher = new MicroBatcher(
      (items) => (gate ? log.write(items) : write(items)),
      () => undefined,
    )
    const first = batcher.append(item(1, 1))
    const rest = [2, 13, 4].map((mark) => batcher.append(item(1, mark)))
    gate = false
    log.batches[0]?.answer()
    await first
    expect((await Promise.allSettled(rest)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  it('gives what comes back busy to a lane, and writes for others meanwhile', async () => {
    const calls: { gids: bigint[]; waitMs: number }[] = []
    const lane = Promise.withResolvers<AppendOutcome[]>()
    const write = (items: readonly AppendItem[], waitMs: number) => {
      calls.push({ gids: items.map(({ gid }) => gid), waitMs })
      if (waitMs > 0) return lane.promise
      return Promise.resolve(items.map(({ gid }): AppendOutcome => (gid === 1n ? { kind: 'busy' } : accepted(1))))
    }
    const batcher = new MicroBatcher(write, () => undefined)
    const first = batcher.append(item(1, 1))
    await batcher.append(item(2, 2))
    const second = batcher.append(item(1, 3))
    await batcher.append(item(2, 4))
    expect(calls.filter(({ gids }) => gids.includes(1n))).toEqual([
      { gids: [1n], waitMs: 0 },
      { gids: [1n], waitMs: LANE_WAIT_MS },
    ])
    lane.resolve([accepted(5)])
    expect(await first).toEqual(accepted(5))
    await settled()
    expect(calls.at(-2)).toEqual({ gids: [1n], waitMs: 0 })
    void second
  })

  it('hands on the new head of each group once per batch', async () => {
    const heads: [bigint, bigint][][] = []
    const batcher = new MicroBatcher(
      (items) => Promise.resolve(items.map((_, index) => accepted(index + 1))),
      (groups) => heads.push([...groups].map(([gid, messages]) => [gid, messages.at(-1)!.outcome.seq])),
    )
    await Promise.all([batcher.append(item(1, 1)), batcher.append(item(1, 2)), batcher.append(item(1, 3))])
    expect(heads).toEqual([[[1n, 1n]], [[1n, 2n]]])
  })
})
