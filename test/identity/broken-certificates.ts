import { generateKeyPairSync } from 'node:crypto'
import { RIGHTS, type DeviceCertificate } from '../../src/protocol/identity/entry.js'
import type { IdentityRule } from '../../src/protocol/identity/rules.js'
import { ListMaker, listKey, privateKey, type Holder } from '../support/mls/device-lists.js'

const PHONE = 'mimi://example.com/d/alice/phone'
const LAPTOP = 'mimi://example.com/d/alice/laptop'
const USER = 'mimi://example.com/u/alice'
const DAY = 86_400n

/** Breaks one rule in a list that has an identity key and a phone. */
export type Case = readonly [rule: IdentityRule, what: string, spoil: (maker: ListMaker, phone: Holder) => Promise<unknown>]

const withCertificate = (client: string, wish: Partial<DeviceCertificate>) => (maker: ListMaker) =>
  maker.certify(maker.root, client, privateKey(), wish)
/** Certificates and revocations that break a rule. */
export const BROKEN_CERTIFICATES: readonly Case[] = [
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
