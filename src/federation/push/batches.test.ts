import { describe, expect, it } from '@jest/globals'
import { takeWhileFits } from './batches.js'

const rows = [1n, 2n, 3n].map((seq) => ({ seq, bytes: Buffer.alloc(10) }))
const welcome = (seq: bigint, length: number) => ({ seq, bytes: Buffer.alloc(length), clients: ['12345'] })

describe('a batch of limited size', () => {
  it.each<[string, ReturnType<typeof welcome>[], number, number, number]>([
    ['has all that fits', [welcome(2n, 15)], 50, 3, 0],
    ['ends before a Commit whose Welcomes do not fit', [welcome(2n, 16), welcome(2n, 100)], 50, 1, 40],
    ['counts for whom a Welcome is', [welcome(3n, 16)], 50, 2, 30],
    ['has one entry at least, however large', [welcome(1n, 100)], 50, 1, -65],
  ])('%s', (_what, welcomes, bytes, kept, left) => {
    expect(takeWhileFits(rows, welcomes, bytes)).toEqual({ rows: rows.slice(0, kept), left })
  })
})
