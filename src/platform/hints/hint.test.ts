import { describe, expect, it } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { Secrets } from '../secrets.js'
import { channelOf, HINT_CHANNELS, type Hint, openHints, sealHints } from './hint.js'

const secrets = new Secrets({ SERVER_SECRET: randomBytes(32).toString('base64') })
const SEALING = { secrets, most: 16_384 }
const CARRIED = [{ seq: 7n, epoch: 3n, acceptedAt: new Date(1_700_000_000_000), frame: Uint8Array.of(1, 2) }]
const HINTS: Hint[] = [
  { kind: 'group', gid: 1n, headSeq: 2n ** 53n - 1n },
  {
    kind: 'group',
    gid: 1n,
    headSeq: 7n,
    incarnation: 2,
    entries: { read: () => CARRIED },
  },
  { kind: 'inbox', deviceId: 2n },
  { kind: 'acked', deviceId: 3n },
  { kind: 'revoked', deviceId: 4n },
  { kind: 'session-ended', deviceId: 5n },
  { kind: 'displaced', deviceId: 5n, streamId: 'abc' },
  { kind: 'stream-open', deviceId: 5n, streamId: 'abc' },
]

const withEntries = (hint: Hint) => (hint.kind === 'group' ? { ...hint, entries: hint.entries?.read() } : hint)

describe('hints between nodes', () => {
  it('arrive as they were sent', () => {
    const opened = openHints(secrets, 'hint:1', sealHints(SEALING, 'hint:1', 'node', HINTS))
    expect(opened?.node).toBe('node')
    expect(opened?.hints.map(withEntries)).toEqual(HINTS.map(withEntries))
    expect(opened?.hints.flatMap((hint) => (hint.kind === 'group' ? (hint.entries?.read() ?? []) : []))).toEqual(CARRIED)
  })
  it('leave out entries that are too large together, and what is said of them only', () => {
    const large: Hint = {
      kind: 'group',
      gid: 1n,
      headSeq: 7n,
      incarnation: 2,
      entries: { bytes: 11, read: () => CARRIED },
    }
    const sent = (most: number) =>
      openHints(secrets, 'hint:1', sealHints({ secrets, most }, 'hint:1', 'node', [large]))?.hints.map(withEntries)
    expect(sent(11)).toEqual([withEntries(large)])
    expect(sent(10)).toEqual([{ kind: 'group', gid: 1n, headSeq: 7n, entries: undefined }])
  })
  it('of a newer release are passed over, and the rest of its batch counts', () => {
    const news = [HINTS[0], { kind: 'weather', rain: true }, { kind: 'inbox', deviceId: 2n, urgent: true }] as Hint[]
    const opened = openHints(secrets, 'hint:1', sealHints(SEALING, 'hint:1', 'node', news))
    expect(opened?.hints).toEqual([HINTS[0], { kind: 'inbox', deviceId: 2n }])
  })
  it('are refused with any byte changed, under another secret, or on another channel', () => {
    const sealed = sealHints(SEALING, 'hint:1', 'node', HINTS)
    for (let at = 0; at < sealed.length; at++) {
      expect(openHints(secrets, 'hint:1', Buffer.from(sealed.map((byte, index) => (index === at ? byte ^ 1 : byte))))).toBeUndefined()
    }
    const other = new Secrets({ SERVER_SECRET: randomBytes(32).toString('base64') })
    expect(openHints(other, 'hint:1', sealed)).toBeUndefined()
    expect(openHints(secrets, 'hint:2', sealed)).toBeUndefined()
    expect(openHints(secrets, 'hint:1', Buffer.alloc(3))).toBeUndefined()
  })
  it('spread over 64 channels by what they are about', () => {
    expect(HINT_CHANNELS).toHaveLength(64)
    expect(channelOf({ kind: 'group', gid: 65n, headSeq: 1n })).toBe(1)
    expect(channelOf({ kind: 'revoked', deviceId: 63n })).toBe(63)
  })
})
