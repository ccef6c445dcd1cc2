import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { checkLeafCertificate } from '../../../examples/client/identity/leaf.js'
import { active, readHead, readList, supersedes, type VerifiedList } from '../../../examples/client/identity/list.js'
import { recoveryKey } from '../../../examples/client/identity/recovery-words.js'
import { IdentityRefused } from '../../../examples/client/identity/refused.js'
import { safetyNumber } from '../../../examples/client/identity/safety-number.js'
import { toHex } from '../../../examples/client/wire.js'
import { checkHead } from '../../../src/protocol/identity/head.js'
import { checkLeafCertificate as checkLeafAtServer } from '../../../src/protocol/identity/leaf-certificate.js'
import { activeCertificates, type DeviceList } from '../../../src/protocol/identity/device-list.js'
import { extendList } from '../../../src/protocol/identity/list.js'
import { IDENTITY_RULES } from '../../../src/protocol/identity/rules.js'
import type { LeafVector, ListVector, Vectors } from './vector-format.js'
import { makeVectors } from './vectors.js'

const FILE = new URL('../vectors.json', import.meta.url)
if (process.env['WRITE_VECTORS']) writeFileSync(FILE, `${JSON.stringify(await makeVectors(), undefined, 2)}\n`)
const vectors = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

/** What the client says: `valid`, or the rule. */
function byClient<T>(read: () => T): [result: string, value?: T] {
  try {
    return ['valid', read()]
  } catch (error) {
    if (error instanceof IdentityRefused) return [error.rule ?? error.reason]
    throw error
  }
}

/** With those that come before. */
function entriesOf({ after, entries }: ListVector): Uint8Array[] {
  return [...(after === undefined ? [] : entriesOf(named(after))), ...entries.map(bytes)]
}

const named = (list: string): ListVector => vectors.lists.find(({ name }) => name === list)!

/** What others continue is read once: each reader then goes on from there. */
const ofClient = new Map<string, VerifiedList>()
const ofServer = new Map<string, DeviceList>()

function readByClient({ name, after, user, entries, head, now }: ListVector): VerifiedList {
  const list = readList(
    user,
    entries.map(bytes),
    BigInt(now),
    after === undefined ? undefined : (ofClient.get(after) ?? readByClient(named(after))),
  )
  ofClient.set(name, list)
  if (head !== undefined) readHead(list, bytes(head), BigInt(now))
  return list
}

async function byServer({ name, after, user, entries, head, now }: ListVector): Promise<[result: string, list?: DeviceList]> {
  const before = after === undefined ? undefined : (ofServer.get(after) ?? (await byServer(named(after)))[1])
  const list = await extendList(user, before, entries.map(bytes), BigInt(now))
  if (list.kind === 'broken') return [list.rule]
  ofServer.set(name, list.value)
  const checked = head === undefined ? list : await checkHead(list.value, bytes(head), BigInt(now))
  return checked.kind === 'broken' ? [checked.rule] : ['valid', list.value]
}

it('the vectors are those that their maker makes (WRITE_VECTORS=1 writes them, and then `npm run format`)', async () => {
  expect(vectors).toEqual(await makeVectors())
})

it.each(vectors.lists.map((vector) => [vector.name, vector] as const))('list: %s', async (_name, vector) => {
  const [client, mine] = byClient(() => readByClient(vector))
  const [server, theirs] = await byServer(vector)
  expect({ client, server }).toEqual({ client: vector.result, server: vector.result })
  if (!mine || !theirs) return
  expect([toHex(mine.identity), toHex(theirs.identity)]).toEqual([vector.identity, vector.identity])
  const numbers = [active(mine), activeCertificates(theirs)].map((held) => held.map(({ number }) => number))
  expect(numbers).toEqual([vector.active, vector.active])
})

it.each(vectors.leaves.map((vector) => [vector.name, vector] as const))('leaf: %s', async (_name, vector) => {
  const of = named(vector.list)
  const [leaf, now] = [leafOf(vector), BigInt(vector.now)]
  const [client] = byClient(() => checkLeafCertificate(readByClient(of), bytes(vector.extension), leaf, now))
  const [, list] = await byServer(of)
  const server = checkLeafAtServer(list!, bytes(vector.extension), leaf, now)
  expect({ client, server: server.kind === 'valid' ? 'valid' : server.rule }).toEqual({ client: vector.result, server: vector.result })
})

function leafOf({ client, scheme, signature_key }: LeafVector) {
  return { client, scheme, signatureKey: bytes(signature_key) }
}

it.each(vectors.head_order.map((vector) => [vector.name, vector] as const))(
  'head: %s',
  (_name, { list, kept_entries, kept, shown, now, result }) => {
    const { user, ...whole } = named(list)
    const entries = entriesOf({ user, ...whole })
    const [before, after] = [entries.slice(0, kept_entries), entries].map((some) => readList(user, some, BigInt(now)))
    expect(supersedes(readHead(after!, bytes(shown), BigInt(now)), readHead(before!, bytes(kept), BigInt(now)))).toBe(result === 'shown')
  },
)

/** These the server asks besides: of the devices that are registered, and of passkeys. */
const OF_SERVERS = ['device-registered', 'device-keys', 'device-certified', 'passkey-rp-id', 'passkey-attestation']
const OF_VECTORS = Object.keys(IDENTITY_RULES).filter((rule) => !OF_SERVERS.includes(rule))

it('every rule is broken by one of them', () => {
  const results = new Set([...vectors.lists, ...vectors.leaves].map(({ result }) => result))
  expect([...results].sort()).toEqual(['valid', ...OF_VECTORS].sort())
})

it('every rule is only just kept by one of them', () => {
  const right = [...vectors.lists, ...vectors.leaves].filter(({ result }) => result === 'valid')
  const kept = new Set(right.flatMap(({ keeps }) => keeps ?? []))
  expect([...kept].sort()).toEqual(OF_VECTORS.toSorted())
})

it('no two of them have one name', () => {
  const names = [...vectors.lists, ...vectors.leaves, ...vectors.head_order].map(({ name }) => name)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})

it('safety numbers and recovery words come to what is written', () => {
  for (const { users, safety_number } of vectors.safety_numbers) {
    const [one, other] = users.map(({ user, identity }) => ({ user, identity: bytes(identity) }))
    expect(safetyNumber(one!, other!)).toBe(safety_number)
  }
  for (const { words, public_key } of vectors.recovery_words) expect(toHex(recoveryKey(words).publicKey)).toBe(public_key)
})
