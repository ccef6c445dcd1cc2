import { describe, expect, it } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { RIGHTS, type EntryContent } from '../../src/protocol/identity/entry.js'
import { extendList } from '../../src/protocol/identity/list.js'
import { IDENTITY_RULES } from '../../src/protocol/identity/rules.js'
import { ListMaker, listKey, privateKey, seconds, type Holder } from '../support/mls/device-lists.js'
import { BROKEN_CERTIFICATES, type Case } from './broken-certificates.js'

const USER = 'mimi://example.com/u/alice'
const PHONE = 'mimi://example.com/d/alice/phone'
const LAPTOP = 'mimi://example.com/d/alice/laptop'
const DAY = 86_400n
const NOW = seconds()

async function begun(): Promise<{ maker: ListMaker; phone: Holder }> {
  const maker = await ListMaker.begin(USER)
  return { maker, phone: await maker.certify(maker.root, PHONE, privateKey()) }
}

const withContent = (wish: Partial<EntryContent>) => async (maker: ListMaker) =>
  maker.append(maker.root, { type: 'certificate', certificate: await maker.certificate(LAPTOP, [privateKey()]) }, wish)

const BROKEN_ENTRIES: readonly Case[] = [
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
]

const CASES = [...BROKEN_ENTRIES, ...BROKEN_CERTIFICATES]

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

  it('entry-signature in entry 1: by another key than it names', async () => {
    const maker = await ListMaker.begin(USER)
    const entry = await maker.make(
      { number: 1, key: privateKey() },
      { type: 'identity', identityKey: listKey(maker.root.key) },
      { number: 1, previous: new Uint8Array() },
    )
    await expect(extendList(USER, undefined, [entry], NOW)).resolves.toEqual({ kind: 'broken', rule: 'entry-signature' })
  })

  it('identity-key: Ed448', async () => {
    const maker = await ListMaker.begin(USER, generateKeyPairSync('ed448').privateKey)
    await expect(extendList(USER, undefined, maker.entries, NOW)).resolves.toEqual({ kind: 'broken', rule: 'identity-key' })
  })
})

it('has every rule in a test', () => {
  const tested = new Set<string>([...CASES.map(([rule]) => rule), 'identity-key', 'entry-previous'])
  const ofEntries = Object.keys(IDENTITY_RULES).filter((rule) => !/^(head|device|passkey)-/.test(rule))
  expect(ofEntries.filter((rule) => !tested.has(rule))).toEqual([])
})
