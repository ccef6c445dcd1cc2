import { describe, expect, it } from '@jest/globals'
import { verifyEvidence } from '../../../src/protocol/evidence/verify-evidence.js'
import { evidenceFile, evidenceHead, seededKey, signedDirectory, type SeededKey } from './peer/evidence.js'
import { initialChain, nextChain, type Batch, type Entry } from './peer/log.js'

// Files of evidence, right ones and forged ones: what a follower can make up about a hub that is honest.

const HUB = 'a.example'
const NOW = 1_795_744_000
const at = { hub: HUB, follower: 'b.example', at: BigInt(NOW) * 1000n }
const [k1, k2, thiefs] = [1, 2, 9].map((seed) => seededKey(`k${seed}`, Buffer.alloc(32, seed))) as [SeededKey, SeededKey, SeededKey]
const directory = (keys: SeededKey[], also: SeededKey[] = [], issued = NOW - 100) =>
  signedDirectory(HUB, keys, { issued, expires: issued + 7 * 86_400 }, { also })
const entry = (text: string, epoch = 1n): Entry => ({ kind: 'application', epoch, message: Buffer.from(text) })
const groupId = Buffer.from('group')

const base: Batch = {
  groupId,
  room: `mimi://${HUB}/r/club`,
  mode: 'public',
  suite: 1,
  incarnation: 1,
  postFloor: 0n,
  gap: 'none',
  firstSeq: 1n,
  previousChain: initialChain(groupId, 1),
  entries: [entry('one'), entry('two'), entry('three')],
  roster: [],
  welcomes: [],
}
const head = (change: Partial<Batch> = {}, key = k1, parties = at) => evidenceHead({ ...base, ...change }, parties, key)
const other = { entries: [entry('one'), entry('TWO')] }
const verdict = (file: unknown, known: string[] = []) => verifyEvidence(JSON.stringify(file), known)
const file = (kind = 'two-histories', heads: [object, object] = [head(), head(other)], directories = [directory([k1])]) =>
  evidenceFile(kind, HUB, directories, heads as never)
const restored = { incarnation: 5, firstSeq: 2n, previousChain: initialChain(groupId, 5), entries: [entry('else')] }

describe('a contradiction is proven', () => {
  const first = nextChain(base.previousChain, 1n, entry('one'))
  it.each([
    ['two histories', file(), 'differ at seq 2'],
    ['two histories, told to two followers', file('two-histories', [head(), head(other, k1, { ...at, follower: 'c.example' })]), 'seq 2'],
    [
      'two chain values at one place',
      file('two-histories', [head({ firstSeq: 2n, previousChain: first, entries: [entry('x')] }), head(other)]),
      'seq 2',
    ],
    [
      'an entry after a gap that does not follow',
      file('two-histories', [
        head(),
        head({ gap: 'retired', firstSeq: 4n, previousChain: Buffer.alloc(32, 7), entries: [entry('four'), entry('five')] }),
      ]),
      'entry 4 does not follow',
    ],
    ['entries that are gone', file('new-incarnation', [head(), head(restored)]), 'had signed 2 more entries'],
    ['two rooms', file('two-rooms', [head(), head({ room: `mimi://${HUB}/r/other` })]), 'two rooms'],
    ['two modes', file('two-modes', [head(), head({ mode: 'private' })]), 'public, and that it is private'],
  ])('%s', (_what, made, what) => {
    expect(verdict(made)).toMatchObject({ kind: 'proven', what: expect.stringContaining(what) })
    expect(verdict(made, [k1.x])).toMatchObject({ kind: 'proven' })
  })

  it('across a rotation, by a directory that both keys have signed, and by keys that only vouch for their successor', () => {
    const heads: [object, object] = [head(), head(other, k2)]
    expect(verdict(file('two-histories', heads, [directory([k1]), directory([k1, k2]), directory([k2])]))).toMatchObject({ kind: 'proven' })
    expect(verdict(file('two-histories', heads, [directory([k1]), directory([k2], [k1])]), [k1.x])).toMatchObject({ kind: 'proven' })
  })
})

const CHANGES: [string, (made: Record<string, unknown>) => void][] = [
  ['format', (made) => void (made['format'] = 'other')],
  ['version', (made) => void (made['version'] = 2)],
  ['kind', (made) => void (made['kind'] = 'two-rooms')],
  ['kind, for a new incarnation', (made) => void (made['kind'] = 'new-incarnation')],
  ['hub', (made) => void (made['hub'] = 'c.example')],
  ['directories', (made) => void (made['directories'] = [])],
  ['an unknown member', (made) => void (made['more'] = 1)],
  ['a directory’s payload', (made) => changeDirectory(made, 'payload', Buffer.from('{"domain":"a.example"}').toString('base64url'))],
  ['a directory’s signature', (made) => changeDirectory(made, 'signatures', [])],
  ...[0, 1].flatMap((index): [string, (made: Record<string, unknown>) => void][] =>
    (
      [
        ['hub', 'c.example'],
        ['follower', 'c.example'],
        ['room', `mimi://${HUB}/r/other`],
        ['group_id', 'eHg'],
        ['mode', 'private'],
        ['incarnation', 2],
        ['seq', 7],
        ['chain', Buffer.alloc(32, 3).toString('base64url')],
        ['signed_at_ms', NOW * 1000 + 1],
        ['key_id', 'k2'],
        ['signature', Buffer.alloc(64, 3).toString('base64url')],
        ['after', { seq: 1, chain: Buffer.alloc(32, 3).toString('base64url') }],
        ['links', []],
        ['resumed', { seq: 3, kind: 'commit', epoch: 1, hash: 'A'.repeat(43), chain: 'A'.repeat(43) }],
      ] as const
    ).map(([name, value]) => [`${name} of head ${index}`, (made) => void (headsOf(made)[index]![name] = value)]),
  ),
]
const headsOf = (made: Record<string, unknown>) => made['heads'] as Record<string, unknown>[]
function changeDirectory(made: Record<string, unknown>, name: string, value: unknown): void {
  const [first] = made['directories'] as Record<string, unknown>[]
  first![name] = value
}

it.each(CHANGES)('nothing is proven where one thing was changed: %s', (_what, change) => {
  const made = structuredClone(JSON.parse(JSON.stringify(file())) as Record<string, unknown>)
  change(made)
  expect(verdict(made).kind).toBe('not-proven')
})

it('nothing is proven where one spelling of a signature was changed, or the text is no file', () => {
  const made = JSON.parse(JSON.stringify(file())) as Record<string, unknown>
  const [first] = headsOf(made)
  const signature = String(first!['signature'])
  // The last character of 64 bytes has four bits that say nothing.
  first!['signature'] = signature.slice(0, -1) + String.fromCharCode(signature.charCodeAt(signature.length - 1) + 1)
  expect(verdict(made).kind).toBe('not-proven')
  expect([verifyEvidence('').kind, verifyEvidence('[]').kind, verifyEvidence('{').kind]).toEqual(Array(3).fill('not-proven'))
})

describe('a follower that lies about an honest hub', () => {
  const honest = [head(), head({ entries: [...base.entries, entry('four')] }), head(restored)] as const
  const lie = head(other, thiefs)

  it.each([
    ['two heads of one history', file('two-histories', [honest[0], honest[1]])],
    ['one head twice', file('two-histories', [honest[0], honest[0]])],
    ['heads of two incarnations', file('two-histories', [honest[0], honest[2]])],
    ['an incarnation before', file('new-incarnation', [honest[2], honest[0]])],
    ['a restore that has lost nothing', file('new-incarnation', [head({ entries: [entry('one')] }), honest[2]])],
    ['heads of two groups', file('two-histories', [honest[0], head({ groupId: Buffer.from('other'), ...other })])],
    ['a head of its own, with the hub’s directory', file('two-histories', [honest[0], lie])],
    ['a head of its own, with a directory of its own', file('two-histories', [honest[0], lie], [directory([k1]), directory([thiefs])])],
    [
      'a directory of its own that names the hub’s key, which has not signed it',
      file('two-histories', [honest[0], lie], [directory([k1]), withKey(directory([thiefs]), directory([k1, thiefs]))]),
    ],
    ['its own head as the hub’s, in its own room', file('two-rooms', [honest[0], { ...lie, room: 'mimi://b.example/r/club' }])],
    [
      'a head that was signed after the directory’s end',
      file('two-histories', [honest[0], head(other)], [directory([k1], [], NOW - 8 * 86_400)]),
    ],
  ])('proves nothing by %s', (_what, made) => {
    expect(verdict(made).kind).toBe('not-proven')
  })

  it('can make up a hub of its own, which who knows a key of the hub tells from it', () => {
    const made = file('two-histories', [head({}, thiefs), lie], [directory([thiefs])])
    expect(verdict(made)).toMatchObject({ kind: 'proven', signers: [{ key: { x: thiefs.x } }, { key: { x: thiefs.x } }] })
    expect(verdict(made, [k1.x]).kind).toBe('not-proven')
  })
})

/** The payload of one directory with the signatures of another. */
function withKey(signed: ReturnType<typeof directory>, named: ReturnType<typeof directory>) {
  return { payload: named.payload, signatures: signed.signatures }
}
