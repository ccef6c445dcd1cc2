import { describe, expect, it } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { ListMaker, listKey, privateKey, seconds, type Holder } from '../../../test/support/identity.js'
import { RIGHTS, type DeviceCertificate, type EntryContent } from './entry.js'
import { checkHead } from './head.js'
import { activeCertificates, certificateOf, lastNumber, signerAt, type DeviceList } from './device-list.js'
import { extendList } from './list.js'
import { IDENTITY_RULES, type IdentityRule } from './rules.js'

const USER = 'mimi://example.com/u/alice'
const PHONE = 'mimi://example.com/d/alice/phone'
const LAPTOP = 'mimi://example.com/d/alice/laptop'
const DAY = 86_400n
const NOW = seconds()

async function list(maker: ListMaker, user = USER): Promise<DeviceList> {
  const checked = await extendList(user, undefined, maker.entries, NOW)
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
    expect(read.certificates.get(phone.number)?.end).toEqual({ by: 'replacement', number: renewed.number, time: maker.time })
    expect(certificateOf(read, LAPTOP)).toBeUndefined()
    expect(lastNumber(read)).toBe(5)
  })

  it('can be read in parts', async () => {
    const { maker } = await begun()
    const first = await list(maker)
    await maker.certify(maker.root, LAPTOP, privateKey())
    const next = await extendList(USER, first, maker.entries.slice(2), NOW)
    expect(next).toMatchObject({ kind: 'valid', value: { identity: first.identity } })
    expect(next.kind === 'valid' && lastNumber(next.value)).toBe(3)
  })

  it('takes a P-256 identity key', async () => {
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const maker = await ListMaker.begin(USER, key)
    await maker.certify(maker.root, PHONE, privateKey())
    expect(lastNumber(await list(maker))).toBe(2)
  })

  it('is verified by a recovery key that a device enrolled', async () => {
    const { maker, phone } = await begun()
    const paper = privateKey()
    await maker.append(phone, {
      type: 'certificate',
      certificate: await maker.certificate('', [paper], {
        kind: 'recovery-key',
        rights: RIGHTS.enrol,
        notAfter: maker.time + 3_000n * DAY,
      }),
    })
    await maker.certify({ number: 3, key: paper }, LAPTOP, privateKey())
    expect(certificateOf(await list(maker), LAPTOP)).toMatchObject({ number: 4, signer: 3 })
  })
})

type Case = readonly [rule: IdentityRule, what: string, spoil: (maker: ListMaker, phone: Holder) => Promise<unknown>]

const withCertificate = (client: string, wish: Partial<DeviceCertificate>) => (maker: ListMaker) =>
  maker.certify(maker.root, client, privateKey(), wish)
const withContent = (wish: Partial<EntryContent>) => async (maker: ListMaker) =>
  maker.append(maker.root, { type: 'certificate', certificate: await maker.certificate(LAPTOP, [privateKey()]) }, wish)

const CASES: readonly Case[] = [
  [
    'entry-encoding',
    'a byte follows',
    async (maker, { number: revoked }) => {
      const entry = await maker.make(maker.root, { type: 'revocation', revocation: { revoked, since: 0 } })
      maker.entries.push(Buffer.concat([entry, Buffer.of(0)]))
    },
  ],
  [
    'entry-encoding',
    'another version',
    async (maker, { number: revoked }) => {
      const entry = await maker.make(maker.root, { type: 'revocation', revocation: { revoked, since: 0 } })
      maker.entries.push(Buffer.concat([Buffer.of(2), entry.subarray(1)]))
    },
  ],
  [
    'entry-encoding',
    'too long',
    async (maker) => {
      const keys = Array.from({ length: 7 }, () => ({ scheme: 0x0906, publicKey: Buffer.alloc(2592), possession: Buffer.alloc(4627) }))
      await maker.certify(maker.root, LAPTOP, privateKey(), { keys })
    },
  ],
  ['entry-user', 'of another user', withContent({ user: 'mimi://example.com/u/bob' })],
  ['entry-number', 'a gap', withContent({ number: 4 })],
  ['entry-number', 'a repeated number', withContent({ number: 2 })],
  ['entry-previous', 'after another entry', withContent({ previous: new Uint8Array(32) })],
  ['entry-time', 'before the entry before', withContent({ time: 1n })],
  ['entry-time', 'two days ahead', withContent({ time: NOW + 2n * DAY })],
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
    'by a revoked identity key',
    async (maker) => {
      await maker.revoke(maker.root, 1)
      await maker.certify(maker.root, LAPTOP, privateKey())
    },
  ],
  [
    'entry-signer',
    'by a device that went with the one that enrolled it',
    async (maker, phone) => {
      const ghost = await maker.certify(phone, LAPTOP, privateKey())
      await maker.revoke(maker.root, phone.number, ghost.number)
      await maker.certify(ghost, `${LAPTOP}2`, privateKey())
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
    'entry-signer',
    'a replacement by a certificate that is long over',
    async (maker) => {
      maker.time -= 300n * DAY
      const old = await ListMaker.begin(USER, maker.root.key, maker.time)
      const tablet = await old.certify(old.root, LAPTOP, privateKey(), { notAfter: old.time + 5n })
      old.time += 91n * DAY
      await old.certify(tablet, LAPTOP, tablet.key)
      maker.entries.splice(0, 2, ...old.entries)
    },
  ],
  [
    'entry-right',
    'a certificate without enrol',
    async (maker) => {
      const tablet = await maker.certify(maker.root, LAPTOP, privateKey(), { rights: RIGHTS.revoke | RIGHTS.attest })
      await maker.certify(tablet, `${LAPTOP}2`, privateKey(), { rights: 0 })
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
  ['certificate-subject', 'a passkey with a URL', withCertificate('https://example.com', { kind: 'passkey', rights: RIGHTS.enrol })],
  [
    'certificate-subject',
    'a revoked device again',
    async (maker, phone) => {
      await maker.revoke(maker.root, phone.number)
      await maker.certify(maker.root, PHONE, privateKey())
    },
  ],
  [
    'certificate-replaced',
    'by another device',
    async (maker, phone) => {
      const laptop = await maker.certify(phone, LAPTOP, privateKey())
      await maker.certify(laptop, PHONE, privateKey())
    },
  ],
  ['certificate-replaced', 'by the identity key', (maker) => maker.certify(maker.root, PHONE, privateKey())],
  [
    'certificate-replaced',
    'with more rights',
    async (maker) => {
      const tablet = await maker.certify(maker.root, LAPTOP, privateKey(), { rights: RIGHTS.enrol })
      await maker.certify(tablet, LAPTOP, privateKey(), { rights: RIGHTS.enrol | RIGHTS.attest })
    },
  ],
  ['certificate-keys', 'a key that another device has', (maker, { key }) => maker.certify(maker.root, LAPTOP, key)],
  ['certificate-keys', 'the identity key', (maker) => maker.certify(maker.root, LAPTOP, maker.root.key)],
  ['certificate-keys', 'no key', withCertificate(LAPTOP, { keys: [] })],
  [
    'certificate-keys',
    'the same key twice',
    async (maker) => {
      const key = privateKey()
      const { keys } = await maker.certificate(LAPTOP, [key, key])
      await maker.certify(maker.root, LAPTOP, key, { keys })
    },
  ],
  [
    'certificate-keys',
    'two keys of a recovery key',
    async (maker) => {
      const { keys } = await maker.certificate('', [privateKey(), privateKey()], { kind: 'recovery-key' })
      await maker.certify(maker.root, '', privateKey(), { kind: 'recovery-key', rights: RIGHTS.enrol, keys })
    },
  ],
  [
    'certificate-keys',
    'a first key that not every client can check',
    async (maker) => {
      const ed448 = generateKeyPairSync('ed448').privateKey
      await maker.certify(maker.root, LAPTOP, ed448)
    },
  ],
  [
    'certificate-keys',
    'a key of small order',
    withCertificate(LAPTOP, { keys: [{ scheme: 0x0807, publicKey: new Uint8Array(32), possession: new Uint8Array(64) }] }),
  ],
  [
    'certificate-keys',
    'a key that the device has dropped',
    async (maker, phone) => {
      const next = await maker.certify(phone, PHONE, privateKey())
      await maker.certify(next, PHONE, phone.key)
    },
  ],
  [
    'certificate-possession',
    'a key of somebody else',
    async (maker) => {
      const key = privateKey()
      const { possession } = await maker.possessed(privateKey(), 'device', LAPTOP)
      await maker.certify(maker.root, LAPTOP, key, { keys: [{ ...listKey(key), possession }] })
    },
  ],
  [
    'certificate-possession',
    'a key that was certified for another identity',
    async (maker) => {
      const forged = await ListMaker.begin(USER)
      const { keys } = await maker.certificate(LAPTOP, [privateKey()])
      await forged.certify(forged.root, LAPTOP, privateKey(), { keys })
      maker.entries.splice(0, 2, ...forged.entries)
    },
  ],
  ['certificate-rights', 'an unknown bit', withCertificate(LAPTOP, { rights: 8 })],
  ['certificate-rights', 'a recovery key that revokes', withCertificate('', { kind: 'recovery-key', rights: RIGHTS.revoke })],
  [
    'certificate-rights',
    'more than the signer has',
    async (maker) => {
      const tablet = await maker.certify(maker.root, LAPTOP, privateKey(), { rights: RIGHTS.enrol })
      await maker.certify(tablet, `${LAPTOP}2`, privateKey(), { rights: RIGHTS.enrol | RIGHTS.revoke })
    },
  ],
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
      for (let count = 0; count < 32; count++) await maker.certify(maker.root, `${LAPTOP}${count}`, privateKey())
    },
  ],
  ['revocation-target', 'the identity key, by a device', (maker, phone) => maker.revoke(phone, 1)],
  ['revocation-target', 'what is no certificate', (maker) => maker.revoke(maker.root, 9)],
  ['revocation-target', 'since before it', (maker, phone) => maker.revoke(maker.root, phone.number, 1)],
  ['revocation-target', 'since what is to come', (maker, phone) => maker.revoke(maker.root, phone.number, 9)],
  [
    'revocation-target',
    'twice',
    async (maker, phone) => {
      await maker.revoke(maker.root, phone.number)
      await maker.revoke(maker.root, phone.number)
    },
  ],
]

it('ends what a revoked device has certified since, also by others in between, and nothing else', async () => {
  const { maker, phone } = await begun()
  const laptop = await maker.certify(phone, LAPTOP, privateKey())
  const ghost = await maker.certify(phone, `${LAPTOP}2`, privateKey())
  const second = await maker.certify(ghost, `${LAPTOP}3`, privateKey())
  const other = await maker.certify(laptop, `${LAPTOP}4`, privateKey())
  await maker.revoke(laptop, phone.number, ghost.number)
  const active = activeCertificates(await list(maker)).map(({ number }) => number)
  // What the laptop certified hangs from the phone too.
  expect(active).toEqual([laptop.number])
  expect([second.number, other.number]).toEqual([5, 6])
})

it('takes only revocations when it is nearly full, and then nothing', async () => {
  const { maker, phone } = await begun()
  let last = phone
  for (let number = 3; number <= 896; number++) last = await maker.certify(last, PHONE, last.key)
  const full = await list(maker)
  const more = await maker.make(last, { type: 'certificate', certificate: await maker.certificate(LAPTOP, [privateKey()]) })
  await expect(extendList(USER, full, [more], NOW)).resolves.toEqual({ kind: 'broken', rule: 'entry-number' })
  await maker.revoke(maker.root, last.number)
  expect(activeCertificates(await list(maker))).toEqual([])
})

it('lets a device replace a certificate that is over, for a while', async () => {
  const maker = await ListMaker.begin(USER, privateKey(), NOW - 300n * DAY)
  const phone = await maker.certify(maker.root, PHONE, privateKey(), { notAfter: maker.time + 5n })
  maker.time += 89n * DAY
  await maker.certify(phone, PHONE, phone.key)
  expect(certificateOf(await list(maker), PHONE)?.number).toBe(3)
})

it('keeps keys of schemes that it does not know, and lets none of them sign', async () => {
  const { maker, phone } = await begun()
  const { keys } = await maker.certificate(LAPTOP, [privateKey()])
  const unknown = { scheme: 0x0a0b, publicKey: Buffer.from('some'), possession: Buffer.alloc(0) }
  await maker.certify(phone, LAPTOP, privateKey(), { keys: [...keys, unknown] })
  expect(certificateOf(await list(maker), LAPTOP)?.keys).toHaveLength(2)
})

describe('a device list that breaks a rule', () => {
  it.each(CASES)('%s: %s', async (rule, _what, spoil) => {
    const { maker, phone } = await begun()
    await spoil(maker, phone)
    await expect(extendList(USER, undefined, maker.entries, NOW)).resolves.toEqual({ kind: 'broken', rule })
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
    await expect(extendList(user, undefined, [entry], NOW)).resolves.toEqual({ kind: 'broken', rule })
  })

  it('identity-key: Ed448', async () => {
    const maker = await ListMaker.begin(USER, generateKeyPairSync('ed448').privateKey)
    await expect(extendList(USER, undefined, maker.entries, NOW)).resolves.toEqual({ kind: 'broken', rule: 'identity-key' })
  })
})

describe('a head', () => {
  it('is taken from an active device, and from nobody else', async () => {
    const { maker, phone } = await begun()
    const tablet = await maker.certify(phone, LAPTOP, privateKey(), { rights: RIGHTS.enrol })
    const read = await list(maker)
    await expect(checkHead(read, await maker.head(phone), NOW)).resolves.toMatchObject({ kind: 'valid', value: { number: 3, signer: 2 } })
    const cases: [IdentityRule, Uint8Array][] = [
      ['head-encoding', Buffer.concat([await maker.head(phone), Buffer.of(1)])],
      ['head-user', await maker.head(phone, { user: 'mimi://example.com/u/bob' })],
      ['head-entry', await maker.head(phone, { number: 2 })],
      ['head-entry', await maker.head(phone, { hash: new Uint8Array(32) })],
      ['head-validity', await maker.head(phone, { expiresAt: maker.time + 31n * DAY })],
      ['head-validity', await maker.head(phone, { issuedAt: maker.time - 1n })],
      ['head-validity', await maker.head(phone, { issuedAt: NOW + 2n * DAY, expiresAt: NOW + 3n * DAY })],
      ['head-signer', await maker.head({ number: 7, key: phone.key })],
      ['head-right', await maker.head(tablet)],
      ['head-signature', await maker.head({ number: phone.number, key: tablet.key })],
    ]
    for (const [rule, bytes] of cases) await expect(checkHead(read, bytes, NOW)).resolves.toEqual({ kind: 'broken', rule })
  })

  it('is no entry, though the same key signed it', async () => {
    const { maker, phone } = await begun()
    maker.entries.push(await maker.head(phone))
    await expect(extendList(USER, undefined, maker.entries, NOW)).resolves.toEqual({ kind: 'broken', rule: 'entry-encoding' })
  })
})

it('signs with its first key only, and not as another kind of signer', async () => {
  const { maker, phone } = await begun()
  const [first, second] = [privateKey(), privateKey()]
  const { keys } = await maker.certificate(LAPTOP, [first, second])
  await maker.certify(phone, LAPTOP, first, { keys })
  await maker.certify({ number: 3, key: second }, `${LAPTOP}2`, privateKey())
  await expect(extendList(USER, undefined, maker.entries, NOW)).resolves.toEqual({ kind: 'broken', rule: 'entry-signature' })
  maker.entries.pop()
  expect(signerAt(await list(maker), 3, maker.time)?.key).toMatchObject(listKey(first))
})

it('has every rule in a test', () => {
  const tested = new Set<string>([...CASES.map(([rule]) => rule), 'identity-key', 'entry-previous'])
  const ofEntries = Object.keys(IDENTITY_RULES).filter((rule) => !rule.startsWith('head-') && !rule.startsWith('device-'))
  expect(ofEntries.filter((rule) => !tested.has(rule))).toEqual([])
})
