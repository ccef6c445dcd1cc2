import { describe, expect, it } from '@jest/globals'
import { BatchQueue, MAX_BATCH_BYTES, MAX_BATCH_ITEMS } from './batch.js'

function queueOf(...items: [gid: number, size: number][]) {
  const queue = new BatchQueue<void>()
  items.forEach(([gid, size], index) => queue.push(waiting(gid, size, index)))
  return queue
}
function waiting(gid: number, size: number, index: number) {
  const item = { gid: BigInt(gid), deviceId: BigInt(index), epoch: 0n, hash: Buffer.from(`${gid} ${index}`), bytes: new Uint8Array(size) }
  return { item, resolve: () => undefined, reject: () => undefined }
}
const NOBODY: ReadonlySet<bigint> = new Set()
const shape = (queue: BatchQueue<void>, busy = NOBODY) => queue.take(busy).map(({ item }) => [Number(item.gid), Number(item.deviceId)])

describe('the batch queue', () => {
  it('takes one message of every group before a second of any', () => {
    expect(shape(queueOf([1, 1], [1, 1], [1, 1], [2, 1], [3, 1]))).toEqual([
      [1, 0],
      [2, 3],
      [3, 4],
      [1, 1],
      [1, 2],
    ])
  })

  it('never takes more rows than a batch may have, and serves the groups that waited first next time', () => {
    const queue = queueOf(...Array.from({ length: MAX_BATCH_ITEMS + 5 }, (): [number, number] => [1, 1]), [2, 1])
    const first = shape(queue)
    expect(first).toHaveLength(MAX_BATCH_ITEMS)
    expect(first).toContainEqual([2, MAX_BATCH_ITEMS + 5])
    expect(queue.size).toBe(6)
    queue.push(waiting(3, 1, 999))
    expect(shape(queue).slice(0, 2)).toContainEqual([3, 999])
  })

  it('never takes more bytes than a batch may have, except one message alone', () => {
    const half = MAX_BATCH_BYTES / 2
    expect(shape(queueOf([1, half], [2, half], [3, 1]))).toEqual([
      [1, 0],
      [2, 1],
    ])
    expect(shape(queueOf([1, MAX_BATCH_BYTES * 2], [2, 1]))).toEqual([[1, 0]])
  })

  it('never takes the same message of a group twice: the second waits until the first is in the log', () => {
    const queue = new BatchQueue<void>()
    const [first, again] = [waiting(1, 1, 0), waiting(1, 1, 0)]
    for (const one of [first, again, waiting(1, 1, 1), waiting(2, 1, 0)]) queue.push(one)
    expect(shape(queue)).toEqual([
      [1, 0],
      [2, 0],
    ])
    expect(shape(queue)).toEqual([
      [1, 0],
      [1, 1],
    ])
  })

  it('leaves the groups alone that another writer is busy with', () => {
    const queue = queueOf([1, 1], [2, 1])
    expect(shape(queue, new Set([1n]))).toEqual([[2, 1]])
    expect(shape(queue, new Set([1n]))).toEqual([])
    expect(shape(queue)).toEqual([[1, 0]])
    expect(queue.size).toBe(0)
  })
})
