import { checkHead } from '../../src/protocol/identity/head.js'
import type { DeviceList } from '../../src/protocol/identity/device-list.js'
import { checkLeafCertificate, encodeLeafCertificate, type CertifiedLeaf } from '../../src/protocol/identity/leaf-certificate.js'
import { extendList } from '../../src/protocol/identity/list.js'
import { verifyWithLabel } from '../../src/protocol/mls/signature.js'
import { ed25519Key, type SigningKey } from '../../examples/client/identity/keys.js'
import { beginList, makeEntry, makeHead, possessed, validity, type Author, type ListEnd } from '../../examples/client/identity/making.js'
import { round, printTable } from '../samples.js'
import { certifiedCommit } from './certified-commit.js'

/**
 * `npm run bench -- identity/verification`: what it costs to check whom a device belongs to, in microseconds and in checks of an Ed25519
 * signature that are measured in the same run. An entry has two signatures, its own and that of a key's possession. Then a Commit of a public group
 * with many Adds, each of a certified device: how many signatures are checked, and what it takes beside them alone.
 */
const USER = 'mimi://example.com/u/alice'
const SIZES = [3, 30, 300]
const ROUNDS = 40
/** Adds of one Commit. */
const ADDS = 2_000

const CLIENT = 'mimi://example.com/d/alice/phone'
const ALL_RIGHTS = 7
const now = BigInt(Math.floor(Date.now() / 1000))

/** A list in which one device renews its certificate, as a list grows over the years. */
interface Grown {
  readonly entries: Uint8Array[]
  readonly identity: Uint8Array
  readonly end: ListEnd
  /** The device, and the number of its certificate. */
  readonly last: Author
  readonly leaf: CertifiedLeaf
}

async function grown(size: number): Promise<Grown> {
  const root = { number: 1, key: ed25519Key() }
  const first = await beginList(USER, root.key, now)
  const identity = first.end.hash
  const entries = [first.bytes]
  let [end, last]: [ListEnd, Author] = [first.end, root]
  while (entries.length < size) {
    const key: SigningKey = ed25519Key()
    const holder = { kind: 'device', subject: CLIENT } as const
    const keys = await possessed(identity, holder, [key])
    const certificate = { ...holder, keys, rights: ALL_RIGHTS, ...validity('device', now) }
    const made = await makeEntry(end, last, { type: 'certificate', certificate }, now)
    entries.push(made.bytes)
    ;[end, last] = [made.end, { number: made.end.number, key }]
  }
  return { entries, identity, end, last, leaf: { client: CLIENT, scheme: last.key.scheme, signatureKey: last.key.publicKey } }
}

async function read(entries: readonly Uint8Array[], known?: DeviceList): Promise<DeviceList> {
  const checked = await extendList(USER, known, entries, now)
  if (checked.kind === 'broken') throw new Error(checked.rule)
  return checked.value
}

/** Microseconds: the median of `ROUNDS`. */
async function median(work: () => unknown): Promise<number> {
  const times: number[] = []
  for (let count = 0; count < ROUNDS; count++) {
    const begun = performance.now()
    await work()
    times.push((performance.now() - begun) * 1000)
  }
  return times.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN
}

async function signature(): Promise<number> {
  const { scheme, publicKey } = ed25519Key()
  return median(() => verifyWithLabel(scheme, publicKey, 'bench', new Uint8Array(300), new Uint8Array(64)))
}

async function measure(size: number, unit: number): Promise<Record<string, number>> {
  const { entries, identity, end, last, leaf } = await grown(size)
  const [list, head] = [await read(entries), await makeHead(end, last, now)]
  const extension = encodeLeafCertificate(identity, end.number, end.hash, entries.at(-1) ?? new Uint8Array())
  const before = await read(entries.slice(0, -1))
  const whole = await median(() => read(entries))
  const next = await median(() => read(entries.slice(-1), before))
  const ofHead = await median(() => checkHead(list, head, now))
  const ofLeaf = await median(() => checkLeafCertificate(list, extension, leaf, now))
  return {
    entries: size,
    'bytes of the list': entries.reduce((sum, entry) => sum + entry.length, 0),
    'bytes in the leaf': extension.length,
    'whole list, µs': round(whole),
    'in signatures': round(whole / unit),
    'one more entry': round(next / unit),
    head: round(ofHead / unit),
    leaf: round(ofLeaf / unit),
  }
}

const unit = await signature()
const rows: Record<string, number>[] = []
for (const size of SIZES) rows.push(await measure(size, unit))
printTable(rows)
const { bare, commit, certificates, ...counts } = await certifiedCommit(ADDS)
printTable([
  {
    ...counts,
    'ms of the signatures alone': round(bare),
    'ms of the Commit': round(commit),
    'of the certificates': round(certificates),
    'all, in these signatures': round((commit + certificates) / bare),
  },
])
console.log(`A signature is checked in ${round(unit)} µs.`)
