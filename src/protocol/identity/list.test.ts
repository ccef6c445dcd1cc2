import { describe, expect, it } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { ListMaker, listKey, privateKey, type Holder } from '../../../test/support/identity.js'
import { RIGHTS, type DeviceCertificate, type EntryContent } from './entry.js'
import { checkHead } from './head.js'
import { activeCertificates, certificateOf, extendList, signerAt, type DeviceList } from './list.js'
import { IDENTITY_RULES, type IdentityRule } from './rules.js'

const USER = 'mimi://example.com/u/alice'
const PHONE = 'mimi://example.com/d/alice/phone'
const LAPTOP = 'mimi://example.com/d/alice/laptop'
const DAY = 86_400n

async function list(maker: ListMaker, user = USER): Promise<DeviceList> {
  const checked = await extendList(user, undefined, maker.entries)
  if (checked.kind === 'broken') throw new Error(checked.rule)
  return checked.value
}

async function begun(): Promise<{ maker: ListMaker; phone: Holder }> {
  const maker = await ListMaker.begin(USER)
  return { maker, phone: await maker.certify(maker.root, PHONE, privateKey()) }
}

describe('a device list', () => {
  it('says which devices are certified, replaced and revoked', async () => {
    const { maker, phone } = await begun()
    const laptop = await maker.certify(phone, LAPTOP, privateKey())
    const renewed = await maker.certify(phone, PHONE, phone.key)
    await maker.revoke(laptop, laptop.number)
    const read = await list(maker)
    expect(activeCertificates(read).map(({ number }) => number)).toEqual([renewed.number])
    expect(read.certificates.get(phone.number)?.ended).toBe(renewed.number)
    expect(certificateOf(read, LAPTOP)).toBeUndefined()
    expect(read.number).toBe(5)
  })

  it('can be read in parts', async () => {
    const { maker } = await begun()
    const first = await list(maker)
    await maker.certify(maker.root, LAPTOP, privateKey())
    const next = await extendList(USER, first, maker.entries.slice(2))
    expect(next).toMatchObject({ kind: 'valid', value: { number: 3, identity: first.identity } })
  })

  it('takes a P-256 identity key', async () => {
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const maker = await ListMaker.begin(USER, key)
    await maker.certify(maker.root, PHONE, privateKey())
    await expect(list(maker)).resolves.toMatchObject({ number: 2 })
  })

  it('is verified by a recovery key that a device enrolled', async () => {
    const { maker, phone } = await begun()
    const paper = privateKey()
    await maker.append(phone, {
      type: 'certificate',
      certificate: maker.certificate('', paper, { kind: 'recovery-key', rights: RIGHTS.enrol, notAfter: maker.time + 3_000n * DAY }),
    })
    await maker.certify({ number: 3, key: paper }, LAPTOP, privateKey())
    expect(certificateOf(await list(maker), LAPTOP)).toMatchObject({ number: 4, signer: 3 })
  })
})

type Case = readonly [rule: IdentityRule, what: string, spoil: (maker: ListMaker, phone: Holder) => Promise<unknown>]

const withCertificate = (client: string, wish: Partial<DeviceCertificate>) => (maker: ListMaker) =>
  maker.certify(maker.root, client, privateKey(), wish)
const withContent = (wish: Partial<EntryContent>) => (maker: ListMaker) =>
  maker.append(maker.root, { type: 'certificate', certificate: maker.certificate(LAPTOP, privateKey()) }, wish)

const CASES: readonly Case[] = [
  [
    'entry-encoding',
    'a byte follows',
    async (maker) => maker.entries.push(Buffer.concat([await maker.make(maker.root, { type: 'revocation', revoked: 2 }), Buffer.of(0)])),
  ],
  ['entry-user', 'of another user', withContent({ user: 'mimi://example.com/u/bob' })],
  ['entry-number', 'a gap', withContent({ number: 4 })],
  ['entry-number', 'a repeated number', withContent({ number: 2 })],
  ['entry-previous', 'after another entry', withContent({ previous: new Uint8Array(32) })],
  ['entry-time', 'before the entry before', withContent({ time: 1n })],
  ['entry-first', 'a second identity', (maker) => maker.append(maker.root, { type: 'identity', identityKey: listKey(privateKey()) })],
  ['entry-signer', 'by an entry that is no certificate', (maker, { key }) => maker.certify({ number: 9, key }, LAPTOP, privateKey())],
  [
    'entry-signer',
    'by a revoked device',
    async (maker, phone) => {
      await maker.revoke(maker.root, phone.number)
      await maker.certify(phone, LAPTOP, privateKey())
    },
  ],
  [
    'entry-signer',
    'by a certificate that was replaced',
    async (maker, phone) => {
      await maker.certify(phone, PHONE, phone.key)
      await maker.certify(phone, LAPTOP, privateKey())
    },
  ],
  [
    'entry-signer',
    'by a certificate that is over',
    async (maker) => {
      const tablet = await maker.certify(maker.root, LAPTOP, privateKey(), { notAfter: maker.time + 5n })
      maker.time += 6n
      await maker.certify(tablet, `${LAPTOP}2`, privateKey())
    },
  ],
  [
    'entry-right',
    'a certificate without enrol',
    async (maker) => {
      const tablet = await maker.certify(maker.root, LAPTOP, privateKey(), { rights: RIGHTS.revoke | RIGHTS.attest })
      await maker.certify(tablet, `${LAPTOP}2`, privateKey())
    },
  ],
  [
    'entry-right',
    'a revocation without revoke',
    async (maker, phone) => {
      const tablet = await maker.certify(maker.root, LAPTOP, privateKey(), { rights: RIGHTS.enrol })
      await maker.revoke(tablet, phone.number)
    },
  ],
  ['entry-signature', 'by another key', (maker, { number }) => maker.certify({ number, key: privateKey() }, LAPTOP, privateKey())],
  [
    'entry-signature',
    'of the server, in the name of the identity key',
    (maker) => maker.certify({ number: 1, key: privateKey() }, LAPTOP, privateKey()),
  ],
  ['certificate-subject', 'a client of another user', withCertificate('mimi://example.com/d/bob/phone', {})],
  ['certificate-subject', 'a client of another provider', withCertificate('mimi://example.org/d/alice/phone', {})],
  ['certificate-subject', 'a recovery key with a name', withCertificate(LAPTOP, { kind: 'recovery-key', rights: RIGHTS.enrol })],
  ['certificate-keys', 'a key that another device has', (maker, { key }) => maker.certify(maker.root, LAPTOP, key)],
  ['certificate-keys', 'the identity key', (maker) => maker.certify(maker.root, LAPTOP, maker.root.key)],
  ['certificate-keys', 'no key', withCertificate(LAPTOP, { keys: [] })],
  [
    'certificate-keys',
    'the same key twice',
    async (maker) => {
      const key = privateKey()
      await maker.certify(maker.root, LAPTOP, key, { keys: [listKey(key), listKey(key)] })
    },
  ],
  ['certificate-keys', 'a key of small order', withCertificate(LAPTOP, { keys: [{ scheme: 0x0807, publicKey: new Uint8Array(32) }] })],
  [
    'certificate-keys',
    'a key that the device has dropped',
    async (maker, phone) => {
      await maker.certify(phone, PHONE, privateKey())
      await maker.certify(maker.root, PHONE, phone.key)
    },
  ],
  [
    'certificate-keys',
    'a key of a revoked device',
    async (maker, phone) => {
      await maker.revoke(maker.root, phone.number)
      await maker.certify(maker.root, PHONE, phone.key)
    },
  ],
  ['certificate-rights', 'an unknown bit', withCertificate(LAPTOP, { rights: 8 })],
  ['certificate-rights', 'a recovery key that revokes', withCertificate('', { kind: 'recovery-key', rights: RIGHTS.revoke })],
  [
    'certificate-validity',
    'for too long',
    (maker) => maker.certify(maker.root, LAPTOP, privateKey(), { notAfter: maker.time + 401n * DAY }),
  ],
  ['certificate-validity', 'ending before it begins', withCertificate(LAPTOP, { notBefore: 2n, notAfter: 2n })],
  [
    'certificate-number',
    'too many',
    async (maker) => {
      for (let count = 0; count < 64; count++) await maker.certify(maker.root, `${LAPTOP}${count}`, privateKey())
    },
  ],
  ['revocation-target', 'the identity', (maker) => maker.revoke(maker.root, 1)],
  [
    'revocation-target',
    'twice',
    async (maker, phone) => {
      await maker.revoke(maker.root, phone.number)
      await maker.revoke(maker.root, phone.number)
    },
  ],
]

describe('a device list that breaks a rule', () => {
  it.each(CASES)('%s: %s', async (rule, _what, spoil) => {
    const { maker, phone } = await begun()
    await spoil(maker, phone)
    await expect(extendList(USER, undefined, maker.entries)).resolves.toEqual({ kind: 'broken', rule })
  })

  it.each([
    ['entry-user', 'mimi://example.com/d/alice/phone', {}],
    ['entry-number', USER, { number: 2 }],
    ['entry-first', USER, { signer: 2 }],
    ['entry-previous', USER, { previous: new Uint8Array(32) }],
  ] as const)('%s in entry 1', async (rule, user, wish) => {
    const maker = await ListMaker.begin(user)
    const entry = await maker.make(
      maker.root,
      { type: 'identity', identityKey: listKey(maker.root.key) },
      { number: 1, previous: new Uint8Array(), ...wish },
    )
    await expect(extendList(user, undefined, [entry])).resolves.toEqual({ kind: 'broken', rule })
  })

  it('identity-key: Ed448', async () => {
    const maker = await ListMaker.begin(USER, generateKeyPairSync('ed448').privateKey)
    await expect(extendList(USER, undefined, maker.entries)).resolves.toEqual({ kind: 'broken', rule: 'identity-key' })
  })
})

describe('a head', () => {
  it('is taken from an active device, and from nobody else', async () => {
    const { maker, phone } = await begun()
    const tablet = await maker.certify(phone, LAPTOP, privateKey(), { rights: RIGHTS.enrol })
    const read = await list(maker)
    await expect(checkHead(read, await maker.head(phone))).resolves.toMatchObject({ kind: 'valid', value: { number: 3, signer: 2 } })
    const cases: [IdentityRule, Uint8Array][] = [
      ['head-encoding', Buffer.concat([await maker.head(phone), Buffer.of(1)])],
      ['head-user', await maker.head(phone, { user: 'mimi://example.com/u/bob' })],
      ['head-entry', await maker.head(phone, { number: 2 })],
      ['head-entry', await maker.head(phone, { hash: new Uint8Array(32) })],
      ['head-validity', await maker.head(phone, { expiresAt: maker.time + 61n * DAY })],
      ['head-validity', await maker.head(phone, { issuedAt: maker.time - 1n })],
      ['head-signer', await maker.head({ number: 7, key: phone.key })],
      ['head-right', await maker.head(tablet)],
      ['head-signature', await maker.head({ number: phone.number, key: tablet.key })],
    ]
    for (const [rule, bytes] of cases) await expect(checkHead(read, bytes)).resolves.toEqual({ kind: 'broken', rule })
  })

  it('is no entry, though the same key signed it', async () => {
    const { maker, phone } = await begun()
    maker.entries.push(await maker.head(phone))
    await expect(extendList(USER, undefined, maker.entries)).resolves.toEqual({ kind: 'broken', rule: 'entry-encoding' })
  })
})

it('signs with its first key only, and not as another kind of signer', async () => {
  const { maker, phone } = await begun()
  const [first, second] = [privateKey(), privateKey()]
  await maker.certify(phone, LAPTOP, first, { keys: [listKey(first), listKey(second)] })
  await maker.certify({ number: 3, key: second }, `${LAPTOP}2`, privateKey())
  await expect(extendList(USER, undefined, maker.entries)).resolves.toEqual({ kind: 'broken', rule: 'entry-signature' })
  maker.entries.pop()
  expect(signerAt(await list(maker), 3, maker.time)?.key).toEqual(listKey(first))
})

it('has every rule in a test', () => {
  const tested = new Set<string>([...CASES.map(([rule]) => rule), 'identity-key', 'entry-previous'])
  const ofEntries = Object.keys(IDENTITY_RULES).filter((rule) => !rule.startsWith('head-') && !rule.startsWith('device-'))
  expect(ofEntries.filter((rule) => !tested.has(rule))).toEqual([])
})
