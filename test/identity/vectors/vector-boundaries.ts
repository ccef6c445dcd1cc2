import { P256, type SigningKey } from '../../../examples/client/identity/keys.js'
import { DAY } from '../../../examples/client/identity/list.js'
import { RIGHTS } from '../../../examples/client/identity/structures.js'
import { client, ed, p256Key, passkey } from './vector-maker.js'
import { RP, type Parts, type Story } from './vector-steps.js'

const NEW = client('new')
const ENROL = { rights: RIGHTS.enrol } as const

/** A key that no reader knows, of so many bytes. */
const unknown = (bytes: number, fill = 9): SigningKey => ({
  scheme: 0x0905,
  publicKey: new Uint8Array(bytes).fill(fill),
  sign: async () => new Uint8Array(),
})

const enrol =
  (keys: readonly SigningKey[], wish: object = {}) =>
  ({ list, phone }: Parts) =>
    list.certify(phone, keys, { subject: NEW, ...wish })

/** A certificate whose entry has so many bytes. */
const ofBytes = (bytes: number) => async (parts: Parts) => {
  const probe = parts.list.copy()
  await enrol([ed(6), unknown(15_000)])({ ...parts, list: probe })
  await enrol([ed(6), unknown(15_000 + bytes - probe.entries.at(-1)!.length)])(parts)
}

/** A device whose certificate is over `after` seconds after it was signed, and which then signs. */
const overAfter = (after: bigint, then: bigint, step: (parts: Parts, number: number) => Promise<unknown>) => async (parts: Parts) => {
  const { list, phone } = parts
  const number = await list.certify(phone, [ed(6)], { subject: NEW, notAfter: list.now + after })
  list.now += then
  await step(parts, number)
}
const enrolsAnother = ({ list }: Parts, number: number) =>
  list.certify({ number, key: ed(6) }, [ed(7)], { subject: client('next'), rights: 0 })
const renewsItself = ({ list }: Parts, number: number) => list.certify({ number, key: ed(6) }, [ed(6)], { subject: NEW })

/** A device that the passkey of `base` enrols, by an assertion as `says` makes it. */
const byPasskey =
  (says: { flags?: number; more?: string; origin?: string }) =>
  ({ list, hardware }: Parts) =>
    list.certify({ ...hardware, key: passkey(5, RP, says) }, [ed(6)], { subject: NEW })

/** Assertions (W3C Web Authentication Level 2 §5.8.1.1) of browsers, and of what is none. */
const ASSERTIONS: readonly Story<Parts>[] = [
  ['an assertion with crossOrigin', 'valid', byPasskey({ more: ',"crossOrigin":false' }), ['entry-signature']],
  [
    'an assertion with something after crossOrigin',
    'valid',
    byPasskey({ more: ',"crossOrigin":false,"other":{"a":1}' }),
    ['entry-signature'],
  ],
  ['an assertion with more flags', 'valid', byPasskey({ flags: 0x1d }), ['entry-signature']],
  ['an assertion from inside another page', 'entry-signature', byPasskey({ more: ',"crossOrigin":true' })],
  ['an assertion with something else after the origin', 'entry-signature', byPasskey({ more: ',"other":1' })],
  ['an assertion that names the origin twice', 'entry-signature', byPasskey({ more: ',"origin":"https://keys.a.example"' })],
  ['an assertion from a subdomain', 'entry-signature', byPasskey({ origin: `https://x.${RP}` })],
  ['an assertion without TLS', 'entry-signature', byPasskey({ origin: `http://${RP}` })],
  ['an assertion with nobody verified', 'entry-signature', byPasskey({ flags: 1 })],
  ['an assertion with nobody present', 'entry-signature', byPasskey({ flags: 4 })],
  [
    'a bare signature by a passkey',
    'entry-signature',
    ({ list, hardware }) => list.certify({ ...hardware, key: p256Key(5) }, [ed(6)], { subject: NEW }),
  ],
  [
    'an assertion by what is no passkey',
    'entry-signature',
    ({ list, laptop }) => list.certify({ ...laptop, key: passkey(4, RP) }, [ed(6)], { subject: NEW, rights: 0 }),
  ],
]

/** What only just keeps a rule, and what only just breaks it: after the list of `base`. */
export const BOUNDARIES: readonly Story<Parts>[] = [
  ...ASSERTIONS,
  ['an entry of 16,384 bytes', 'valid', ofBytes(16_384), ['entry-encoding']],
  ['an entry of 16,385 bytes', 'entry-encoding', ofBytes(16_385)],
  ['a time a day ahead', 'valid', ({ list, phone }) => list.append(phone, revocation(3), { time: list.now + DAY }), ['entry-time']],
  ['a signer at its last second', 'valid', overAfter(60n, 60n, enrolsAnother), ['entry-signer']],
  ['a signer a second later', 'entry-signer', overAfter(60n, 61n, enrolsAnother)],
  [
    'a signer a second before its time',
    'entry-signer',
    async ({ list, phone }) => {
      const number = await list.certify(phone, [ed(6)], { subject: NEW, notBefore: list.now + 1n })
      await enrolsAnother({ list } as Parts, number)
    },
  ],
  [
    'a signer at its first second',
    'valid',
    async ({ list, phone }) => {
      const number = await list.certify(phone, [ed(6)], { subject: NEW, notBefore: list.now })
      await enrolsAnother({ list } as Parts, number)
    },
    ['entry-signer'],
  ],
  ['a renewal 90 days late', 'valid', overAfter(60n, 60n + 90n * DAY, renewsItself), ['entry-signer']],
  ['a renewal a second later', 'entry-signer', overAfter(60n, 61n + 90n * DAY, renewsItself)],
  [
    'a device that may do nothing renews itself',
    'valid',
    async ({ list, phone }) => {
      const number = await list.certify(phone, [ed(6)], { subject: NEW, rights: 0 })
      await list.certify({ number, key: ed(6) }, [ed(6)], { subject: NEW, rights: 0 })
    },
    ['entry-right'],
  ],
  ['a device of 64 characters', 'valid', enrol([ed(6)], { subject: client('d'.repeat(64)) }), ['certificate-subject']],
  ['a device of 65 characters', 'certificate-subject', enrol([ed(6)], { subject: client('d'.repeat(65)) })],
  ['a passkey of a URL', 'certificate-subject', enrol([p256Key(6)], { kind: 'passkey', subject: 'https://a.example', ...ENROL })],
  [
    'fewer rights than the replaced one had',
    'valid',
    ({ list, laptop }) => list.certify(laptop, [laptop.key], { subject: client('laptop'), ...ENROL }),
    ['certificate-replaced'],
  ],
  [
    'the rights that the signer has',
    'valid',
    ({ list, laptop }) => list.certify(laptop, [ed(6)], { subject: NEW, rights: RIGHTS.enrol | RIGHTS.revoke }),
    ['certificate-rights'],
  ],
  [
    'a recovery key by a recovery key',
    'valid',
    ({ list, recovery }) => list.certify(recovery, [ed(6)], { kind: 'recovery-key', subject: '', ...ENROL }),
    ['certificate-rights'],
  ],
  ['a recovery key that may attest', 'certificate-rights', enrol([ed(6)], { kind: 'recovery-key', subject: '', rights: RIGHTS.attest })],
  [
    'a device for 400 days',
    'valid',
    ({ list, phone }) => list.certify(phone, [ed(6)], { subject: NEW, notBefore: list.now, notAfter: list.now + 400n * DAY }),
    ['certificate-validity'],
  ],
  [
    'a recovery key for 4,000 days',
    'valid',
    ({ list, phone }) =>
      list.certify(phone, [ed(6)], {
        kind: 'recovery-key',
        subject: '',
        ...ENROL,
        notBefore: list.now,
        notAfter: list.now + 4000n * DAY,
      }),
    ['certificate-validity'],
  ],
  [
    'a recovery key for a second more',
    'certificate-validity',
    ({ list, phone }) =>
      list.certify(phone, [ed(6)], {
        kind: 'recovery-key',
        subject: '',
        ...ENROL,
        notBefore: list.now,
        notAfter: list.now + 4000n * DAY + 1n,
      }),
  ],
  [
    'a device for a second',
    'valid',
    ({ list, phone }) => list.certify(phone, [ed(6)], { subject: NEW, notBefore: list.now, notAfter: list.now + 1n }),
    ['certificate-validity'],
  ],
  [
    'a device for no time',
    'certificate-validity',
    ({ list, phone }) => list.certify(phone, [ed(6)], { subject: NEW, notBefore: list.now, notAfter: list.now }),
  ],
  ['a revocation since the entry before', 'valid', ({ list, phone }) => list.revoke(phone, 3, 5), ['revocation-target']],
  ['a revocation of an entry that is none yet', 'revocation-target', ({ list, phone }) => list.revoke(phone, 6)],
  ['16 keys', 'valid', enrol(Array.from({ length: 16 }, (_, index) => ed(100 + index))), ['certificate-keys']],
  ['17 keys', 'entry-encoding', enrol(Array.from({ length: 17 }, (_, index) => ed(100 + index)))],
  ['two keys of a recovery key', 'certificate-keys', enrol([ed(6), ed(7)], { kind: 'recovery-key', subject: '', ...ENROL })],
  ['a first key that not every client knows', 'certificate-keys', enrol([unknown(32)])],
  ['an unknown key twice', 'certificate-keys', enrol([ed(6), unknown(32), unknown(32)])],
  [
    'a point that is not on its curve',
    'certificate-keys',
    enrol([ed(6), { ...p256Key(7), publicKey: Uint8Array.of(4, ...Array<number>(64).fill(1)) }]),
  ],
  ['a key under another scheme', 'certificate-keys', enrol([ed(6), { ...ed(7), scheme: P256 }])],
  [
    'an Ed448 key of small order',
    'certificate-keys',
    enrol([ed(6), { ...ed(7), scheme: 0x0808, publicKey: Uint8Array.of(1, ...Array<number>(56).fill(0)) }]),
  ],
  [
    'an Ed25519 key that is not reduced',
    'certificate-keys',
    enrol([ed(6), { ...ed(7), publicKey: Uint8Array.of(0xf1, ...Array<number>(30).fill(0xff), 0x7f) }]),
  ],
  ['the identity key as a key of a device', 'certificate-keys', enrol([ed(1)])],
  [
    'a possession for another device',
    'certificate-possession',
    async ({ list, phone }) => {
      const moved = {
        ...ed(6),
        sign: (content: Uint8Array) => ed(6).sign(Buffer.from(Buffer.from(content).toString('latin1').replace('/new', '/old'), 'latin1')),
      }
      await list.certify(phone, [moved], { subject: NEW })
    },
  ],
]

function revocation(revoked: number) {
  return { type: 'revocation' as const, revocation: { revoked, since: 0 } }
}
