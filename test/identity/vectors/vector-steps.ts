import type { SigningKey } from '../../../examples/client/identity/keys.js'
import { DAY } from '../../../examples/client/identity/list.js'
import type { Author } from '../../../examples/client/identity/making.js'
import { recoveryKey } from '../../../examples/client/identity/recovery-words.js'
import { RIGHTS } from '../../../examples/client/identity/structures.js'
import type { IdentityRule } from '../../../src/protocol/identity/rules.js'
import { client, ed, NOW, p256Key, passkey, WrittenList } from './vector-maker.js'

export const RP = 'keys.a.example'
export const WORDS = `${'abandon '.repeat(23)}art`

export interface Parts {
  hardware: Author
  list: WrittenList
  root: Author
  phone: Author
  laptop: Author
  recovery: Author
}

/** identity 1, phone 2 (two keys), laptop 3 (may enrol and revoke, not attest), recovery key 4, passkey 5. */
export async function base(): Promise<Parts> {
  const root = { number: 1, key: ed(1) }
  const list = await WrittenList.begin(root.key)
  const phone = { number: await list.certify(root, [ed(2), p256Key(3)]), key: ed(2) }
  const laptop = {
    number: await list.certify(phone, [p256Key(4)], { subject: client('laptop'), rights: RIGHTS.enrol | RIGHTS.revoke }),
    key: p256Key(4),
  }
  const words = recoveryKey(WORDS)
  const enrol = { rights: RIGHTS.enrol, notAfter: NOW + 3650n * DAY }
  const recovery = { number: await list.certify(phone, [words], { kind: 'recovery-key', subject: '', ...enrol }), key: words }
  const authenticator = passkey(5, RP)
  const hardware = { number: await list.certify(phone, [authenticator], { kind: 'passkey', subject: RP, ...enrol }), key: authenticator }
  return { list, root, phone, laptop, recovery, hardware }
}

/** What is appended to a list, what a reader says of it, and which rules it only just keeps. */
export type Story<P> = readonly [name: string, result: string, step: (parts: P) => Promise<unknown>, keeps?: readonly IdentityRule[]]

/** After the list of `base`. */
export const AFTER_BASE: readonly Story<Parts>[] = [
  ['a device is revoked', 'valid', ({ list, phone }) => list.revoke(phone, 3)],
  [
    'a device revokes itself without the right',
    'valid',
    async ({ list, phone }) => {
      const number = await list.certify(phone, [ed(6)], { subject: client('watch'), rights: 0 })
      await list.revoke({ number, key: ed(6) }, number)
    },
    ['entry-right'],
  ],
  ['a device renews itself, and drops a key', 'valid', ({ list, phone }) => list.certify(phone, [ed(2)])],
  [
    'a recovery key enrols a device after the loss of all',
    'valid',
    async ({ list, recovery }) => {
      const number = await list.certify(recovery, [ed(6)], { subject: client('new') })
      for (const lost of [2, 3]) await list.revoke({ number, key: ed(6) }, lost)
    },
  ],
  ['a passkey enrols a device', 'valid', ({ list, hardware }) => list.certify(hardware, [ed(6)], { subject: client('new') })],
  [
    'a revocation ends what a thief enrolled',
    'valid',
    async ({ list, phone, laptop }) => {
      const ghost = { number: await list.certify(laptop, [ed(6)], { subject: client('g1'), rights: RIGHTS.enrol }), key: ed(6) }
      await list.certify(ghost, [ed(7)], { subject: client('g2'), rights: 0 })
      await list.revoke(phone, 3, 6)
    },
  ],
  [
    'a revocation leaves what was certified before, with what that signed',
    'valid',
    async ({ list, phone, laptop }) => {
      const renewed = await list.certify(laptop, [laptop.key], { subject: client('laptop'), rights: RIGHTS.enrol | RIGHTS.revoke })
      await list.certify({ ...laptop, number: renewed }, [ed(6)], { subject: client('new'), rights: 0 })
      await list.revoke({ ...laptop, number: renewed }, phone.number, 6)
    },
  ],
  [
    'a revocation reaches what was certified before a thief renewed itself',
    'valid',
    async ({ list, phone, laptop }) => {
      await list.certify(laptop, [ed(6)], { subject: client('g1'), rights: 0 })
      const renewed = await list.certify(laptop, [laptop.key], { subject: client('laptop'), rights: RIGHTS.enrol })
      await list.revoke(phone, renewed, 6)
    },
    ['revocation-target'],
  ],
  ['the identity key ends itself', 'valid', ({ list, root }) => list.revoke(root, 1)],
  [
    'a key of an unknown scheme',
    'valid',
    async ({ list, phone }) => {
      const keys: SigningKey[] = [ed(6), { scheme: 0x0905, publicKey: new Uint8Array(32).fill(9), sign: async () => new Uint8Array() }]
      await list.certify(phone, keys, { subject: client('new') })
    },
    ['certificate-possession'],
  ],
  ['another user', 'entry-user', ({ list, phone }) => list.append(phone, revocation(3), { user: 'mimi://a.example/u/mallory' })],
  ['a gap', 'entry-number', ({ list, phone }) => list.append(phone, revocation(3), { number: 6 })],
  ['another entry before', 'entry-previous', ({ list, phone }) => list.append(phone, revocation(3), { hash: list.identity })],
  ['a time before', 'entry-time', ({ list, phone }) => list.append(phone, revocation(3), { time: NOW - 1n })],
  ['a time far ahead', 'entry-time', ({ list, phone }) => list.append(phone, revocation(3), { time: NOW + DAY + 1n })],
  ['a second identity', 'entry-first', ({ list, root }) => list.append(root, { type: 'identity', identityKey: ed(9) })],
  [
    'a signer that has ended',
    'entry-signer',
    async ({ list, phone, laptop }) => {
      await list.revoke(phone, 3)
      await list.certify(laptop, [ed(6)], { subject: client('new'), rights: 0 })
    },
  ],
  ['no such signer', 'entry-signer', ({ list, phone }) => list.revoke({ number: 9, key: phone.key }, 3)],
  [
    'a certificate by one without the right',
    'entry-right',
    async ({ list, phone }) => {
      const number = await list.certify(phone, [ed(6)], { subject: client('watch'), rights: RIGHTS.revoke })
      await list.certify({ number, key: ed(6) }, [ed(7)], { subject: client('new'), rights: 0 })
    },
  ],
  ['a revocation by one without the right', 'entry-right', ({ list, recovery }) => list.revoke(recovery, 3)],
  ['a signature by another key', 'entry-signature', ({ list }) => list.revoke({ number: 2, key: ed(9) }, 3)],
  ['a device by another key of its signer than the first', 'entry-signature', ({ list }) => list.revoke({ number: 2, key: p256Key(3) }, 3)],
  [
    'a device of another user',
    'certificate-subject',
    ({ list, phone }) => list.certify(phone, [ed(6)], { subject: 'mimi://a.example/d/mallory/phone' }),
  ],
  [
    'a client URI that has ended',
    'certificate-subject',
    async ({ list, phone }) => {
      await list.revoke(phone, 3)
      await list.certify(phone, [ed(6)], { subject: client('laptop') })
    },
  ],
  [
    'a recovery key with a name',
    'certificate-subject',
    ({ list, phone }) => list.certify(phone, [ed(6)], { kind: 'recovery-key', subject: 'drawer', rights: RIGHTS.enrol }),
  ],
  ['no key', 'certificate-keys', ({ list, phone }) => list.certify(phone, [], { subject: client('new') })],
  ['a key twice', 'certificate-keys', ({ list, phone }) => list.certify(phone, [ed(6), ed(6)], { subject: client('new') })],
  [
    'a key of another device',
    'certificate-keys',
    ({ list, phone, laptop }) => list.certify(phone, [laptop.key], { subject: client('new') }),
  ],
  [
    'a key that was dropped',
    'certificate-keys',
    async ({ list, phone }) => {
      const number = await list.certify(phone, [ed(2)])
      await list.certify({ number, key: ed(2) }, [ed(2), p256Key(3)])
    },
  ],
  [
    'a key of small order',
    'certificate-keys',
    ({ list, phone }) => list.certify(phone, [{ ...ed(6), publicKey: new Uint8Array(32) }], { subject: client('new') }),
  ],
  [
    'a compressed point',
    'certificate-keys',
    ({ list, phone }) => list.certify(phone, [p256Key(6, { compressed: true })], { subject: client('new') }),
  ],
  [
    'a compressed point as second key',
    'certificate-keys',
    ({ list, phone }) => list.certify(phone, [ed(6), p256Key(6, { compressed: true })], { subject: client('new') }),
  ],
  [
    'a key that proves no possession',
    'certificate-possession',
    ({ list, phone }) => list.certify(phone, [{ ...ed(7), publicKey: ed(6).publicKey }], { subject: client('new') }),
  ],
  [
    'a certificate replaced by another device',
    'certificate-replaced',
    ({ list, phone }) => list.certify(phone, [ed(6)], { subject: client('laptop') }),
  ],
  [
    'a right that the replaced one lacked',
    'certificate-replaced',
    ({ list, laptop }) => list.certify(laptop, [laptop.key], { subject: client('laptop'), rights: RIGHTS.all }),
  ],
  ['a right that the signer lacks', 'certificate-rights', ({ list, laptop }) => list.certify(laptop, [ed(6)], { subject: client('new') })],
  ['an unknown right', 'certificate-rights', ({ list, root }) => list.certify(root, [ed(6)], { subject: client('new'), rights: 8 })],
  [
    'a recovery key that may revoke',
    'certificate-rights',
    ({ list, phone }) => list.certify(phone, [ed(6)], { kind: 'recovery-key', subject: '', rights: RIGHTS.enrol | RIGHTS.revoke }),
  ],
  [
    'too long a time',
    'certificate-validity',
    ({ list, phone }) => list.certify(phone, [ed(6)], { subject: client('new'), notBefore: NOW, notAfter: NOW + 400n * DAY + 1n }),
  ],
  [
    'a revocation of what has ended',
    'revocation-target',
    async ({ list, phone }) => {
      await list.revoke(phone, 3)
      await list.revoke(phone, 3)
    },
  ],
  ['a revocation of the identity key by a device', 'revocation-target', ({ list, phone }) => list.revoke(phone, 1)],
  ['a revocation since itself', 'revocation-target', ({ list, phone }) => list.revoke(phone, 3, 6)],
]

function revocation(revoked: number) {
  return { type: 'revocation' as const, revocation: { revoked, since: 0 } }
}
