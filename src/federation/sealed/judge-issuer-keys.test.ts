import { describe, expect, it } from '@jest/globals'
import { judgeIssuerKeys, keysOf, type IssuerKeyPin } from './judge-issuer-keys.js'

const WEEK = 7 * 86_400
const NOW = 1_000_000_000
const key = (name: string, from: number): IssuerKeyPin => ({ token_key: name, not_before: NOW + from, redeem_until: NOW + from + 2 * WEEK })
const first = key('first', -5 * 86_400)
const second = key('second', 2 * 86_400)

describe('the keys of a token issuer', () => {
  it.each<[string, IssuerKeyPin[], IssuerKeyPin[], string | undefined]>([
    ['are believed at first sight', [], [first], undefined],
    ['are believed at first sight, two of them', [], [first, second], undefined],
    ['are not believed at first sight if there are three', [], [first, second, key('third', WEEK)], 'it names 3 keys'],
    ['stay what they are', [first], [first], undefined],
    ['get one more that is announced', [first], [first, second], undefined],
    ['lose one that is over', [first, second], [second], undefined],
    ['do not get one at once', [first], [first, key('now', 0)], 'a new key was not announced before it signs'],
    ['do not get one that signs since long', [first], [first, key('old', -6 * 86_400)], 'a new key was not announced before it signs'],
    ['are not replaced by one at once', [first], [key('now', 0)], 'a new key was not announced before it signs'],
    [
      'do not get one that signs before everybody has seen it',
      [first],
      [first, key('soon', 599)],
      'a new key was not announced before it signs',
    ],
    ['do not get a third beside one that is announced', [first, second], [first, key('third', 3 * 86_400)], 'a third key is announced'],
    ['do not get two at once', [key('gone', -WEEK)], [second, key('third', WEEK)], 'a third key is announced'],
    ['do not change their times', [first], [{ ...first, not_before: NOW }], 'a key has other times than before'],
    ['do not change their ends', [first], [{ ...first, redeem_until: NOW + 9 }], 'a key has other times than before'],
    ['are not one twice', [first], [first, first], 'it names a key twice'],
    [
      'do not follow each other within an hour',
      [key('late', -60)],
      [key('late', -60), key('next', 1_000)],
      'a new key follows the one before too soon',
    ],
    ['begin again when all are past', [key('past', -3 * WEEK)], [key('now', 0)], undefined],
  ])('%s', (_what, pinned, shown, why) => {
    const verdict = judgeIssuerKeys(pinned, shown, NOW)
    expect(verdict.kind === 'refused' ? verdict.why : undefined).toBe(why)
  })

  it('are shown to clients from the one that signs now, by time and not by what the issuer shows', () => {
    const before = key('before', -WEEK)
    expect(keysOf([before, first, second], NOW)).toEqual([first, second])
    expect(keysOf([second, first, before], NOW + 3 * 86_400)).toEqual([second])
    expect(keysOf([second], NOW)).toEqual([second])
  })
})
