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
    expect(refusedByPosition({ epoch: 5n, headSeq: 9n, incarnation: 1, reusedAbove: null, frozen }, epoch, 1)?.kind).toBe(kind)
  })
})

describe('a handshake by the incarnation that it names', () => {
  it.each([
    ['the present one', 7, 5n, undefined],
    ['one before', 1, 5n, 'incarnation'],
    ['one before, in an epoch that was never used twice', 1, 3n, 'incarnation'],
    ['none, in an epoch that may have been used twice', undefined, 5n, 'incarnation'],
    ['none, in an epoch that was never used twice', undefined, 3n, 'stale'],
  ])('%s', (_what, madeIn, epoch, kind) => {
    const group = { epoch: 5n, headSeq: 9n, incarnation: 7, reusedAbove: 3n, frozen: null }
    expect(refusedByPosition(group, epoch, madeIn)?.kind).toBe(kind)
  })
})
