import { describe, expect, it } from '@jest/globals'
import type { KeyObject } from 'node:crypto'
import { listKey, ListMaker, privateKey, seconds, type Holder } from '../../../test/support/mls/device-lists.js'
import { LEAF_CERTIFICATE_EXTENSION } from '../../protocol/identity/leaf-certificate.js'
import { TlsWriter } from '../../protocol/tls/writer.js'
import { judgeCertificates, requireJoinersKey, requirementOf, type Requirement } from './certified-leaves.js'
import type { ListedLeaf } from './roster.repository.js'

const USER = 'mimi://here.example/u/alice'
const PHONE = 'mimi://here.example/d/alice/phone'
const LAPTOP = 'mimi://here.example/d/alice/laptop'
const DAY = 86_400n

const NONE: ListedLeaf = {
  ...{ identity: null, listNumber: 0, number: 0, certificate: null, shown: null, ended: null, ending: null },
  ofOtherIdentity: [],
}

/** As the database says it of the certificate in entry `number`. */
function listed(maker: ListMaker, number: number, ended: number | null = null): ListedLeaf {
  const entry = (at: number | null) => (at === null ? null : (maker.entries[at - 1] ?? null))
  const parts = { certificate: entry(number), shown: entry(maker.number), ended, ending: entry(ended) }
  return { ...NONE, identity: maker.identity, listNumber: maker.number, number, ...parts }
}

interface Wish {
  client?: string
  key?: KeyObject
  extension?: Uint8Array | undefined
  requirement?: Requirement
  here?: string
}

async function judged(
  known: ListedLeaf,
  holder: Holder,
  { client = PHONE, key = holder.key, requirement = 'listed', here, ...wish }: Wish = {},
) {
  const leaves = [{ client, publicKey: listKey(key).publicKey, extension: wish.extension }]
  const device = { deviceId: 7n, userId: 1n, revoked: false, banned: false, admin: false }
  const devices = { directory: new Map([[client, device]]), unregistered: new Set<string>(), listed: new Map([[client, known]]) }
  const { faults, rows } = await judgeCertificates(leaves, devices, requirement, new Set(), here ?? 'here.example')
  return faults.get(client) ?? rows.get(client) ?? 'uncertified'
}

async function world() {
  const maker = await ListMaker.begin(USER)
  const phone = await maker.certify(maker.root, PHONE, privateKey())
  return { maker, phone }
}

describe('a new or changed leaf', () => {
  it('is certified by its extension, or by its key in the list', async () => {
    const { maker, phone } = await world()
    const row = { deviceId: 7n, number: 2, ended: null }
    const extension = maker.leafCertificate(2)
    expect(await judged(listed(maker, 2), phone, { extension, requirement: 'shown' })).toEqual(row)
    expect(await judged(listed(maker, 2), phone)).toEqual(row)
  })

  it('has its certificate in the leaf where the group requires the extension, also an Update that drops it', async () => {
    const { maker, phone } = await world()
    expect(await judged(listed(maker, 2), phone, { requirement: 'shown' })).toBe('device-certificate-missing')
  })

  it('needs none where any identity will do, and may still not show a wrong one', async () => {
    const { maker, phone } = await world()
    expect(await judged(NONE, phone, { requirement: 'none' })).toBe('uncertified')
    expect(await judged(NONE, phone)).toBe('device-certificate-missing')
    expect(await judged(NONE, phone, { requirement: 'none', extension: maker.leafCertificate(2) })).toBe('device-certificate')
    expect(await judged(NONE, phone, { requirement: 'none', extension: Buffer.of(1, 2, 3) })).toBe('device-certificate')
  })

  it('is not certified by the certificate of another device, key or user', async () => {
    const { maker, phone } = await world()
    const laptop = await maker.certify(phone, LAPTOP, privateKey())
    const extension = maker.leafCertificate(laptop.number)
    expect(await judged(listed(maker, 3), phone, { extension })).toBe('device-certificate-leaf')
    expect(await judged(listed(maker, 3), laptop, { extension, key: privateKey(), client: LAPTOP })).toBe('device-certificate-leaf')
    const mallory = await ListMaker.begin('mimi://here.example/u/mallory')
    await mallory.certify(mallory.root, 'mimi://here.example/d/mallory/phone', privateKey())
    expect(await judged(listed(maker, 2), phone, { extension: mallory.leafCertificate(2) })).toBe('device-certificate')
  })

  it('is not certified before and after the time of its certificate', async () => {
    const maker = await ListMaker.begin(USER)
    const past = { notBefore: seconds() - 9n * DAY, notAfter: seconds() - 1n }
    const phone = await maker.certify(maker.root, PHONE, privateKey(), past)
    expect(await judged(listed(maker, 2), phone, { extension: maker.leafCertificate(2) })).toBe('device-certificate-leaf')
    expect(await judged(listed(maker, 2), phone)).toBe('device-certificate-missing')
  })

  it('is not certified once that is revoked or belongs to a former identity, and for a while once it is replaced', async () => {
    const { maker, phone } = await world()
    const extension = maker.leafCertificate(2)
    expect(await judged(listed(maker, 2, 0), phone, { extension })).toBe('device-certificate-current')
    await maker.certify(phone, PHONE, privateKey())
    expect(await judged(listed(maker, 2, 3), phone, { extension })).toEqual({ deviceId: 7n, number: 2, ended: 3 })
    const other = await world()
    await other.maker.revoke(other.maker.root, 2)
    const revoked = { extension: other.maker.leafCertificate(2) }
    expect(await judged(listed(other.maker, 2, 3), other.phone, revoked)).toBe('device-certificate-current')
    expect(await judged(listed(other.maker, 2, 3), other.phone)).toBe('device-certificate-missing')
  })

  it('is of the identity that the other leaves of its user have', async () => {
    const { maker, phone } = await world()
    const known = { ...listed(maker, 2), ofOtherIdentity: [LAPTOP] }
    expect(await judged(known, phone)).toBe('device-certificate-identity')
    expect(await judged(known, phone, { requirement: 'none', extension: maker.leafCertificate(2) })).toBe('device-certificate-identity')
  })

  it('of a user elsewhere is held against the list that the user’s provider gave, and does not pass without one', async () => {
    const { maker, phone } = await world()
    const elsewhere = { extension: maker.leafCertificate(2), here: 'hub.example' }
    expect(await judged(listed(maker, 2), phone, { ...elsewhere, requirement: 'shown' })).toBe('uncertified')
    expect(await judged(listed(maker, 2), phone, { ...elsewhere, key: privateKey() })).toBe('device-certificate-leaf')
    expect(await judged(NONE, phone, elsewhere)).toBe('device-certificate')
    const unlisted = { ...listed(maker, 2), number: 9, certificate: null, shown: null }
    expect(await judged(unlisted, phone, elsewhere)).toBe('device-certificate')
    const other = await world()
    expect(await judged(listed(other.maker, 2), phone, elsewhere)).toBe('device-certificate')
  })
})

it('a group requires the extension by its GroupContext, and only where it is certified', () => {
  const types = new TlsWriter().uint16(LEAF_CERTIFICATE_EXTENSION).written()
  const data = new TlsWriter().opaque(types).opaque(new Uint8Array()).opaque(new Uint8Array()).written()
  const context = [{ type: 3, data }]
  expect(requirementOf('certified', context)).toBe('shown')
  // A Commit that drops it still has it.
  expect(requirementOf('certified', context, [])).toBe('shown')
  expect(requirementOf('certified', [])).toBe('listed')
  expect(requirementOf('any', context)).toBe('none')
})

describe('a leaf from outside', () => {
  const caller = { client: PHONE } as never
  const member = (key: KeyObject) => ({ leafIndex: 1, identity: PHONE, credential: {} as never, signatureKey: listKey(key).publicKey })
  const certificates = (...certified: string[]) => ({ certified: new Set(certified), rows: new Map(), faults: new Map() })
  const [old, other] = [privateKey(), privateKey()]

  it('takes the place of one with the same key, or by a certificate', () => {
    const judge = (key: KeyObject, ...certified: string[]) =>
      requireJoinersKey({ caller, vouchers: undefined }, { removed: [member(old)], committer: member(key) }, certificates(...certified))
    judge(old)
    judge(other, PHONE)
    expect(() => judge(other)).toThrow('with a certificate')
    expect(() => judge(other, LAPTOP)).toThrow('with a certificate')
  })

  it('comes by the certificate by which it was let in', () => {
    const vouchers = { certificate: 3, clients: [LAPTOP] }
    const judge = (number: number | undefined) => {
      const rows = number === undefined ? [] : [[PHONE, { deviceId: 7n, number, ended: null }] as const]
      const own = { ...certificates(...(rows.length > 0 ? [PHONE] : [])), rows: new Map(rows) }
      requireJoinersKey({ caller, vouchers }, { removed: [], committer: member(other) }, own)
    }
    judge(3)
    expect(() => judge(2)).toThrow('has certified')
    expect(() => judge(undefined)).toThrow('has certified')
  })
})
