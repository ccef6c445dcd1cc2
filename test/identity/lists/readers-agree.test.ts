import { expect, it } from '@jest/globals'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { active, readHead, readList, type VerifiedList } from '../../../examples/client/identity/list.js'
import { IdentityRefused } from '../../../examples/client/identity/refused.js'
import { activeCertificates, type DeviceList } from '../../../src/protocol/identity/device-list.js'
import type { DeviceCertificate, EntryBody, EntryContent, HolderKind } from '../../../src/protocol/identity/entry.js'
import { checkHead, type HeadContent } from '../../../src/protocol/identity/head.js'
import { extendList } from '../../../src/protocol/identity/list.js'
import { IDENTITY_RULES } from '../../../src/protocol/identity/rules.js'
import { mutate, Random } from '../../fuzz/mutate.js'
import { ListMaker, privateKey, type Holder } from '../../support/mls/device-lists.js'

const USER = 'mimi://example.com/u/alice'
const DAY = 86_400n
const START = 1_800_000_000n
const LISTS = 40
const STEPS = 70

/** The same choices in each run; keys and signatures are fresh. */
const random = new Random(18)
const chance = (outOf: number) => random.below(outOf) === 0

const KEYS: readonly KeyObject[] = [
  ...Array.from({ length: 80 }, () => privateKey()),
  ...['P-256', 'P-256', 'P-384', 'P-521'].map((namedCurve) => generateKeyPairSync('ec', { namedCurve }).privateKey),
  generateKeyPairSync('ed448').privateKey,
]
const SUBJECTS: Record<HolderKind, readonly string[]> = {
  device: [...Array.from({ length: 80 }, (_, index) => `mimi://example.com/d/alice/d${index}`), 'mimi://example.com/d/bob/d', 'nobody'],
  'recovery-key': ['', '', '', '', 'drawer'],
  passkey: ['keys.example.com', 'example.com', 'https://example.com'],
}
const pick = <T>(items: readonly T[]): T => random.pick(items)
const rare = <T>(usual: T, seldom: () => T): T => (chance(12) ? seldom() : usual)

/** A list, as both readers have it, and who may sign. */
interface State {
  maker: ListMaker
  holders: Holder[]
  client: VerifiedList
  server: DeviceList
  now: bigint
}

async function certificate(
  { maker, now, client }: State,
  kind: HolderKind,
  signer: number,
): Promise<{ certificate: DeviceCertificate; key: KeyObject }> {
  const own = client.certificates.get(signer)
  // Often enough its own: that is a renewal.
  const subject = own?.kind === kind && chance(3) ? own.subject : pick(SUBJECTS[kind])
  const key = pick(KEYS)
  const keys = rare([key], () => (chance(2) ? [key, pick(KEYS)] : []))
  const made = await maker.certificate(subject, keys, {
    kind,
    rights: kind === 'device' ? random.below(8) : rare(random.below(2), () => random.below(16)),
    notBefore: rare(now - DAY, () => now + 5n),
    notAfter: rare(now + pick([40n, 300n, 390n]) * DAY, () => now + 410n * DAY),
  })
  const certified = made.keys.map((one) => rare(one, () => ({ ...one, possession: new Uint8Array(64) })))
  return { certificate: { ...made, keys: certified }, key }
}

/** Usually one that has not ended. */
function aSigner({ holders, client }: State): Holder {
  const live = active(client).map(({ number }) => number)
  const signers = holders.filter(({ number }) => (number === 1 ? client.identityKey : live.includes(number)))
  return signers.length > 0 ? rare(pick(signers), () => pick(holders)) : pick(holders)
}

/** An entry that may be right, or wrong in a place or two. */
async function entry(state: State): Promise<{ bytes: Uint8Array; key?: KeyObject; body: EntryBody }> {
  const { maker, holders } = state
  const signer = aSigner(state)
  const revokes = chance(6)
  const kind = pick(['device', 'device', 'device', 'recovery-key', 'passkey'] as const)
  const made = revokes ? undefined : await certificate(state, kind, signer.number)
  const revocation = {
    revoked: rare(pick(holders).number, () => random.below(maker.number + 3)),
    since: chance(3) ? random.below(maker.number + 2) : 0,
  }
  const identity = { type: 'identity', identityKey: { scheme: 0x0807, publicKey: new Uint8Array(32) } } as const
  const body: EntryBody = chance(40)
    ? identity
    : made
      ? { type: 'certificate', certificate: made.certificate }
      : { type: 'revocation', revocation }
  const by = rare(signer, () => ({ ...signer, key: privateKey() }))
  const bytes = await maker.make(by, body, await wrong(maker))
  return { bytes: rare(bytes, () => mutate(bytes, random, maker.entries)), body, ...(made ? { key: made.key } : {}) }
}

async function wrong(maker: ListMaker): Promise<Partial<EntryContent>> {
  if (!chance(10)) return {}
  return pick([
    { number: maker.number + random.below(3) },
    { previous: new Uint8Array(32) },
    { user: 'mimi://example.com/u/bob' },
    { time: maker.time + pick([-1n, DAY, 2n * DAY]) },
    { signer: random.below(maker.number + 2) },
  ])
}

function byClient(state: State, entries: readonly Uint8Array[], head?: Uint8Array): VerifiedList | string {
  try {
    const list = readList(USER, entries, state.now, state.client)
    if (head) readHead(list, head, state.now)
    return list
  } catch (error) {
    if (error instanceof IdentityRefused) return error.rule ?? error.reason
    throw error
  }
}

async function byServer(state: State, entries: readonly Uint8Array[], head?: Uint8Array): Promise<DeviceList | string> {
  const list = await extendList(USER, state.server, entries, state.now)
  if (list.kind === 'broken') return list.rule
  const checked = head ? await checkHead(list.value, head, state.now) : list
  return checked.kind === 'broken' ? checked.rule : list.value
}

async function begun(): Promise<State> {
  const root = pick(KEYS.slice(0, 82))
  const maker = await ListMaker.begin(USER, root, START)
  const server = await extendList(USER, undefined, maker.entries, START)
  if (server.kind === 'broken') throw new Error(server.rule)
  return { maker, holders: [maker.root], client: readList(USER, maker.entries, START), server: server.value, now: START }
}

const summaryOf = (held: readonly { number: number; signer: number; rights: number; certifiedAt: bigint }[]) =>
  held.map(({ number, signer, rights, certifiedAt }) => [number, signer, rights, certifiedAt])

/** Adds an entry if both take it. @returns what they say */
async function step(state: State): Promise<string> {
  const { maker } = state
  state.now += pick([0n, 0n, 0n, 0n, 60n, 60n, 60n, 60n, DAY, 6n * DAY])
  maker.time = state.now
  const { bytes, body, key } = await entry(state)
  const [client, server] = [byClient(state, [bytes]), await byServer(state, [bytes])]
  if (typeof client === 'string' || typeof server === 'string') {
    const [mine, theirs] = [client, server].map((one) => (typeof one === 'string' ? one : 'valid'))
    expect(mine).toBe(theirs)
    return mine!
  }
  maker.entries.push(bytes)
  Object.assign(state, { client, server })
  expect(summaryOf(active(client))).toEqual(summaryOf(activeCertificates(server)))
  expect(client.identityKey).toEqual(server.identityKey)
  if (body.type === 'certificate' && key) {
    const { kind, subject } = body.certificate
    state.holders.push({ number: maker.number, key, ...(kind === 'passkey' ? { rpId: subject } : {}) })
  }
  return 'valid'
}

/** A head that may be right. @returns what they say */
async function headStep(state: State): Promise<string> {
  const { maker, now } = state
  const issuedAt = now + rare(0n, () => pick([-1n, 1n, DAY, DAY + 1n]))
  const wish = rare<Partial<HeadContent>>({}, () =>
    pick([{ number: maker.number - 1 }, { user: 'mimi://example.com/u/bob' }, { hash: new Uint8Array(32) }]),
  )
  const expiresAt = issuedAt + rare(DAY, () => pick([0n, 30n * DAY, 30n * DAY + 1n]))
  const made = await maker.head(
    rare(aSigner(state), () => ({ ...pick([aSigner(state), { number: 99 }]), key: privateKey() })),
    { issuedAt, expiresAt, ...wish },
  )
  const head = rare(made, () => mutate(made, random, [made]))
  const verdicts = [byClient(state, [], head), await byServer(state, [], head)].map((one) => (typeof one === 'string' ? one : 'valid'))
  expect(verdicts[0]).toBe(verdicts[1])
  return verdicts[0]!
}

it('both readers say the same of entries and heads, right ones and wrong ones', async () => {
  const said = new Map<string, number>()
  const note = (verdict: string) => said.set(verdict, (said.get(verdict) ?? 0) + 1)
  for (let list = 0; list < LISTS; list++) {
    const state = await begun()
    // Until nobody is left who may sign, or for so many entries.
    for (let count = 0; count < STEPS && (state.client.identityKey || active(state.client).length > 0); count++) {
      note(await step(state))
      if (chance(4)) note(await headStep(state))
    }
  }
  // These take another first entry, or more entries: test/identity/vectors.json has them.
  const elsewhere = ['identity-key', 'certificate-number']
  const rules = Object.keys(IDENTITY_RULES).filter((rule) => !/^(device|passkey)-/.test(rule) && !elsewhere.includes(rule))
  expect(rules.filter((rule) => !said.has(rule))).toEqual([])
  expect(said.get('valid')).toBeGreaterThan(LISTS * 8)
}, 120_000)
