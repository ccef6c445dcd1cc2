import { describe, expect, it } from '@jest/globals'
import { refusedByPosition } from './submission-refusals.js'

describe('a handshake by the epoch it is of', () => {
  it.each([
    ['the current epoch', null, 5n, undefined],
    ['an epoch gone by', null, 4n, 'stale'],
    ['an epoch to come', null, 6n, 'ahead'],
    ['the current epoch of a frozen group', 'reset', 5n, 'frozen'],
    ['an epoch gone by of a frozen group', 'reinit', 4n, 'frozen'],
  ])('%s', (_what, frozen, epoch, kind) => {
    expect(refusedByPosition({ epoch: 5n, headSeq: 9n, incarnation: 1, frozen }, epoch)?.kind).toBe(kind)
  })
})
