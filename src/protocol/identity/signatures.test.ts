import { expect, it } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { ListMaker, passkeySignature, privateKey, seconds, type AssertionWish } from '../../../test/support/mls/device-lists.js'
import { encodeEntry, encodeEntryContent, ENTRY_LABEL, RIGHTS } from './entry.js'
import { hashAt, lastNumber } from './device-list.js'
import { extendList } from './list.js'
import { signContent } from '../mls/signature.js'

const USER = 'mimi://example.com/u/alice'
const LAPTOP = 'mimi://example.com/d/alice/laptop'
const RP_ID = 'identity.example.com'

/** What a list is with a passkey in it that enrols a device, with an assertion as `wish` spoils it. */
async function enrolledByPasskey(wish: AssertionWish, type: 'ec' | 'ed25519' = 'ec'): Promise<unknown> {
  const maker = await ListMaker.begin(USER)
  const { privateKey: key } = type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  const passkey = await maker.certify(maker.root, RP_ID, key, { kind: 'passkey', rights: RIGHTS.enrol })
  const before = await extendList(USER, undefined, maker.entries, seconds())
  if (before.kind === 'broken') return before.rule
  const content = encodeEntryContent({
    user: USER,
    number: 3,
    previous: hashAt(before.value, 2) ?? new Uint8Array(),
    time: maker.time,
    signer: passkey.number,
    body: { type: 'certificate', certificate: await maker.certificate(LAPTOP, [privateKey()]) },
  })
  const entry = encodeEntry(content, passkeySignature(key, RP_ID, signContent(ENTRY_LABEL, content), wish))
  const checked = await extendList(USER, before.value, [entry], seconds())
  return checked.kind === 'valid' ? lastNumber(checked.value) : checked.rule
}

it('takes an assertion of a passkey for a signature', async () => {
  await expect(enrolledByPasskey({})).resolves.toBe(3)
  await expect(enrolledByPasskey({}, 'ed25519')).resolves.toBe(3)
})

const challenge = 'AAAA'
it.each([
  ['a registration', { type: 'webauthn.create' }],
  ['another challenge', { challenge }],
  ['another RP ID', { rpId: 'example.com' }],
  ['another origin', { origin: 'https://login.example.com' }],
  ['an origin without TLS', { origin: `http://${RP_ID}` }],
  ['a longer origin', { origin: `https://${RP_ID}.evil.example` }],
  ['nobody verified', { flags: 0x01 }],
  ['nobody present', { flags: 0x04 }],
  ['client data that are not JSON', { json: 'x' }],
  ['client data that say the type first and then again', { json: `{"challenge":"${challenge}","type":"webauthn.get"}` }],
] as const)('refuses %s', async (_what, wish) => {
  await expect(enrolledByPasskey(wish)).resolves.toBe('entry-signature')
})

it('refuses what was asked for inside another page', async () => {
  const maker = await ListMaker.begin(USER)
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const passkey = await maker.certify(maker.root, RP_ID, key, { kind: 'passkey', rights: RIGHTS.enrol })
  const content = encodeEntryContent({
    user: USER,
    number: 3,
    previous: new Uint8Array(32),
    time: maker.time,
    signer: passkey.number,
    body: { type: 'revocation', revocation: { revoked: 2, since: 0 } },
  })
  const good = passkeySignature(key, RP_ID, signContent(ENTRY_LABEL, content))
  const crossed = Buffer.from(good).toString('latin1').replace('"crossOrigin":false', '"crossOrigin":true ')
  const bytes = Buffer.from(crossed, 'latin1')
  expect(bytes.equals(good)).toBe(false)
  const { verifiedBy } = await import('./signatures.js')
  const [signer] = [{ key: await maker.possessed(key, 'passkey', RP_ID), rpId: RP_ID }]
  await expect(verifiedBy(signer, ENTRY_LABEL, content, good)).resolves.toBe(true)
  await expect(verifiedBy(signer, ENTRY_LABEL, content, bytes)).resolves.toBe(false)
})

it('does not take a bare signature from a passkey', async () => {
  const maker = await ListMaker.begin(USER)
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { number } = await maker.certify(maker.root, RP_ID, key, { kind: 'passkey', rights: RIGHTS.enrol })
  await maker.certify({ number, key }, LAPTOP, privateKey())
  await expect(extendList(USER, undefined, maker.entries, seconds())).resolves.toEqual({ kind: 'broken', rule: 'entry-signature' })
})
