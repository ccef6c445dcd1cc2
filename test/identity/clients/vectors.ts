import { signLabelled } from '../../../examples/client/identity/keys.js'
import { DAY, HEAD_LABEL } from '../../../examples/client/identity/list.js'
import type { Author } from '../../../examples/client/identity/making.js'
import { recoveryKey } from '../../../examples/client/identity/recovery-words.js'
import { safetyNumber } from '../../../examples/client/identity/safety-number.js'
import { encodeHeadContent, withSignature, type HeadContent } from '../../../examples/client/identity/structures.js'
import { toHex } from '../../../examples/client/wire.js'
import { client, ed, NOW, p256Key, USER, WrittenList } from './vector-maker.js'
import type { IdentityRule } from '../../../src/protocol/identity/rules.js'
import { NEARLY_FULL } from './vector-limits.js'
import { AFTER_BASE, base, WORDS, type Story } from './vector-steps.js'

/** Byte strings are hexadecimal, times are seconds since 1970. */
export interface Vectors {
  lists: ListVector[]
  head_order: HeadOrderVector[]
  leaves: LeafVector[]
  safety_numbers: { users: { user: string; identity: string }[]; safety_number: string }[]
  recovery_words: { words: string; public_key: string }[]
}
export interface ListVector {
  name: string
  /** Whose list it has to be. */
  user: string
  now: number
  /** Name of another list, whose entries come before `entries`. */
  after?: string
  entries: string[]
  head?: string
  /** `valid`, or the name of the rule that is broken. */
  result: string
  identity?: string
  /** Rules that it only just keeps: one more, one later or one longer breaks them. */
  keeps?: readonly IdentityRule[]
}

/** Two right heads of one list: a client keeps the first of them, and is shown the second with all entries. */
export interface HeadOrderVector {
  name: string
  list: string
  /** How many entries there were at the first one. */
  kept_entries: number
  kept: string
  shown: string
  now: number
  /** Which one counts from then on. */
  result: 'kept' | 'shown'
}
export interface LeafVector {
  name: string
  /** Name of the list that it is read with. */
  list: string
  extension: string
  client: string
  scheme: number
  signature_key: string
  now: number
  result: string
}

const BASE = 'five holders'

export async function makeVectors(): Promise<Vectors> {
  const lists = [...(await extended()), ...(await nearlyFull()), ...(await broken()), ...(await heads())]
  const other = await WrittenList.begin(ed(8))
  const users = [
    { user: USER, identity: toHex((await base()).list.identity) },
    { user: 'mimi://b.example/u/bob', identity: toHex(other.identity) },
  ]
  const [one, two] = users.map(({ user, identity }) => ({ user, identity: new Uint8Array(Buffer.from(identity, 'hex')) }))
  return {
    lists,
    head_order: await headOrder(),
    leaves: await leaves(),
    safety_numbers: [{ users, safety_number: safetyNumber(one!, two!) }],
    recovery_words: [{ words: WORDS, public_key: toHex(recoveryKey(WORDS).publicKey) }],
  }
}

async function extended(): Promise<ListVector[]> {
  const { list } = await base()
  return [vectorOf(BASE, list, 'valid'), ...(await told(BASE, base, AFTER_BASE))]
}

async function nearlyFull(): Promise<ListVector[]> {
  const made: ListVector[] = []
  for (const { name, after, make, stories } of NEARLY_FULL) {
    const { list } = await make()
    const before = after === undefined ? 0 : made.find((one) => one.name === after)!.entries.length
    const whole = vectorOf(name, list, 'valid', before)
    made.push(after === undefined ? whole : { ...whole, after }, ...(await told(name, make, stories)))
  }
  return made
}

async function told<P extends { list: WrittenList }>(after: string, make: () => Promise<P>, stories: readonly Story<P>[]) {
  const made: ListVector[] = []
  const before = await make()
  for (const [name, result, step, keeps] of stories) {
    const list = before.list.copy()
    await step({ ...before, list })
    made.push({ ...vectorOf(name, list, result, before.list.entries.length), after, ...(keeps ? { keeps } : {}) })
  }
  return made
}

/** What is wrong from the first entry on, or with the bytes. */
async function broken(): Promise<ListVector[]> {
  const { list } = await base()
  const first = list.entries[0]!
  const edit = (name: string, result: string, entries: Uint8Array[]) => ({ ...vectorOf(name, list, result), entries: entries.map(toHex) })
  const weak = await WrittenList.begin({ ...ed(1), publicKey: new Uint8Array(32) })
  const forged = await WrittenList.begin({ ...ed(1), publicKey: ed(2).publicKey })
  const [version, signature] = [first.slice(), first.slice()]
  version[0] = 2
  signature[signature.length - 1]! ^= 1
  return [
    edit('a byte more', 'entry-encoding', [new Uint8Array([...first, 0])]),
    edit('a byte less', 'entry-encoding', [first.slice(0, -1)]),
    edit('another version', 'entry-encoding', [version]),
    edit('nothing', 'entry-first', []),
    edit('without its first entry', 'entry-number', list.entries.slice(1)),
    edit('a bent signature', 'entry-signature', [signature]),
    vectorOf('an identity key of small order', weak, 'identity-key'),
    vectorOf('a P-256 identity key', await WrittenList.begin(p256Key(1)), 'valid'),
    vectorOf('a compressed identity key', await WrittenList.begin(p256Key(1, { compressed: true })), 'identity-key'),
    vectorOf('an identity key of somebody else', forged, 'entry-signature'),
    { ...vectorOf('asked for another user', list, 'entry-user'), user: 'mimi://a.example/u/bob' },
  ]
}

async function heads(): Promise<ListVector[]> {
  const { list, phone, laptop, recovery, root } = await base()
  const make = async (wish: Partial<HeadContent>, by: Author = phone) => {
    const { user, number, hash } = list.end
    const content = encodeHeadContent({ user, number, hash, issuedAt: NOW, expiresAt: NOW + 14n * DAY, signer: by.number, ...wish })
    return withSignature(content, await signLabelled(by.key, HEAD_LABEL, content))
  }
  const right = await make({})
  const cases: [name: string, result: string, head: Uint8Array][] = [
    ['a head by a device', 'valid', right],
    ['a head by the identity key', 'valid', await make({}, root)],
    ['a head with something after it', 'head-encoding', new Uint8Array([...right, 0])],
    ['a head of another user', 'head-user', await make({ user: 'mimi://a.example/u/bob' })],
    ['a head of fewer entries', 'head-entry', await make({ number: 4 })],
    ['a head of another entry', 'head-entry', await make({ hash: list.identity })],
    ['a head from before the last entry', 'head-validity', await make({ issuedAt: NOW - 1n })],
    ['a head from the future', 'head-validity', await make({ issuedAt: NOW + DAY + 1n, expiresAt: NOW + 3n * DAY })],
    ['a head for too long', 'head-validity', await make({ expiresAt: NOW + 30n * DAY + 1n })],
    ['a head by nobody', 'head-signer', await make({ signer: 99 })],
    ['a head by a device that may not', 'head-right', await make({}, laptop)],
    ['a head by the recovery key', 'head-right', await make({}, recovery)],
    ['a head by another key', 'head-signature', await make({}, { ...phone, key: ed(9) })],
  ]
  return cases.map(([name, result, head]) => ({ ...vectorOf(name, list, result, list.entries.length), after: BASE, head: toHex(head) }))
}

async function headOrder(): Promise<HeadOrderVector[]> {
  const { list, phone, laptop } = await base()
  const before = list.copy()
  await list.revoke(phone, laptop.number)
  const head = async ({ end: { user, number, hash } }: WrittenList, issuedAt: bigint) => {
    const content = encodeHeadContent({ user, number, hash, issuedAt, expiresAt: issuedAt + 14n * DAY, signer: phone.number })
    return toHex(withSignature(content, await signLabelled(phone.key, HEAD_LABEL, content)))
  }
  const of = { list: 'a device is revoked', now: Number(NOW) }
  const [longer, same] = [
    { ...of, kept_entries: 5, shown: await head(list, NOW) },
    { ...of, kept_entries: 6, shown: await head(list, NOW + 60n) },
  ]
  return [
    { name: 'of more entries, after a head that was dated ahead', ...longer, kept: await head(before, NOW + 290n), result: 'shown' },
    { name: 'of the same entries, issued later', ...same, kept: await head(list, NOW + 59n), result: 'shown' },
    { name: 'of the same entries, issued before', ...same, kept: await head(list, NOW + 61n), result: 'kept' },
  ]
}

async function leaves(): Promise<LeafVector[]> {
  const { list, phone } = await base()
  const other = await WrittenList.begin(ed(8))
  const ended = list.copy()
  await ended.revoke(phone, 3)
  const renewed = list.copy()
  await renewed.certify(phone, [ed(2)])
  const leaf = (name: string, result: string, wish: Partial<LeafVector> & { data?: Uint8Array } = {}): LeafVector => {
    const { data = list.leaf(2), ...more } = wish
    const { scheme, publicKey } = phone.key
    const usual = { list: BASE, client: client('phone'), scheme, signature_key: toHex(publicKey), now: Number(NOW) }
    return { name, ...usual, extension: toHex(data), result, ...more }
  }
  const second = { scheme: p256Key(3).scheme, signature_key: toHex(p256Key(3).publicKey) }
  const short = p256Key(3, { compressed: true }).publicKey
  const laptop = { client: client('laptop'), scheme: p256Key(4).scheme, signature_key: toHex(p256Key(4).publicKey) }
  const [gone, replaced] = [{ list: 'a device is revoked' }, { list: 'a device renews itself, and drops a key' }]
  return [
    leaf('a device', 'valid'),
    leaf('a device by its second key', 'valid', second),
    leaf('a device by its second key, as a compressed point', 'valid', { ...second, signature_key: toHex(short) }),
    leaf('a device that knows fewer entries', 'valid', { data: list.leaf(2, { listNumber: 3 }) }),
    leaf('a device that knows more entries', 'valid', { data: list.leaf(2, { listNumber: 7, listHash: list.identity }) }),
    leaf('a replaced certificate within a week', 'valid', { ...replaced, now: Number(NOW + 7n * DAY) }),
    leaf('something after it', 'device-certificate', { data: new Uint8Array([...list.leaf(2), 0]) }),
    leaf('another identity', 'device-certificate', { data: list.leaf(2, { identity: other.identity }) }),
    leaf('another history', 'device-certificate', { data: list.leaf(2, { listHash: other.identity }) }),
    leaf('a list that ends before the certificate', 'device-certificate', { data: list.leaf(4, { listNumber: 3 }) }),
    leaf('an entry of another list', 'device-certificate', { data: renewed.leaf(6) }),
    leaf('another key', 'device-certificate-leaf', { signature_key: toHex(ed(9).publicKey) }),
    leaf('another device', 'device-certificate-leaf', { client: client('laptop') }),
    leaf('a certificate of a recovery key', 'device-certificate-leaf', { data: list.leaf(4) }),
    leaf('an entry without a certificate', 'device-certificate-leaf', { data: list.leaf(1) }),
    leaf('a certificate whose time is over', 'device-certificate-leaf', { now: Number(NOW + 301n * DAY) }),
    leaf('a revoked device', 'device-certificate-current', { ...gone, ...laptop, data: ended.leaf(3) }),
    leaf('a replaced certificate after a week', 'device-certificate-current', { ...replaced, now: Number(NOW + 7n * DAY + 1n) }),
  ]
}

/** @param known entries that another vector has */
function vectorOf(name: string, list: WrittenList, result: string, known = 0): ListVector {
  const shown = { name, user: USER, now: Number(list.now), entries: list.entries.slice(known).map(toHex), result }
  return result === 'valid' ? { ...shown, identity: toHex(list.identity) } : shown
}
