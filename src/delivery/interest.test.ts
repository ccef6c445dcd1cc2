import { describe, expect, it } from '@jest/globals'
import type { Hint } from '../platform/hints/hint.js'
import type { Hints } from '../platform/hints/hints.js'
import { Interest, type DeviceNews } from './interest.js'

function interestWith() {
  let listener: (hint: Hint) => void = () => undefined
  const hints = {
    subscribe: (given: (hint: Hint) => void) => {
      listener = given
      return () => undefined
    },
  } as unknown as Hints
  return { interest: new Interest(hints), hear: (hint: Hint) => listener(hint) }
}

describe('the interest map', () => {
  it('calls those who watch, and nobody else', () => {
    const { interest, hear } = interestWith()
    const heads: bigint[] = []
    const news: DeviceNews[] = []
    interest.watchGroup(1n, ({ headSeq }) => heads.push(headSeq))
    interest.watchDevice(7n, (one) => news.push(one))
    hear({ kind: 'group', gid: 1n, headSeq: 5n })
    hear({ kind: 'group', gid: 2n, headSeq: 6n })
    hear({ kind: 'inbox', deviceId: 7n })
    hear({ kind: 'acked', deviceId: 7n })
    hear({ kind: 'revoked', deviceId: 8n })
    hear({ kind: 'displaced', deviceId: 7n, streamId: 'x' })
    expect(heads).toEqual([5n])
    expect(news).toEqual([{ kind: 'inbox' }, { kind: 'inbox' }, { kind: 'displaced', streamId: 'x' }])
  })

  it('forgets a key when its last listener stops, and only then', () => {
    const { interest } = interestWith()
    const stops = [interest.watchGroup(1n, () => undefined), interest.watchGroup(1n, () => undefined)]
    expect(interest.gids()).toEqual([1n])
    stops[0]!()
    stops[0]!()
    expect(interest.gids()).toEqual([1n])
    stops[1]!()
    expect(interest.gids()).toEqual([])
  })

  it('lets a listener stop itself, or another, while it is called', () => {
    const { interest } = interestWith()
    let calls = 0
    const stop = interest.watchDevice(1n, () => {
      calls += 1
      stop()
    })
    interest.watchDevice(1n, () => (calls += 1))
    interest.notifyDevice(1n, { kind: 'inbox' })
    interest.notifyDevice(1n, { kind: 'inbox' })
    expect(calls).toBe(3)
  })
})
