import { expect, it } from '@jest/globals'
import { generateKeyPairSync, sign } from 'node:crypto'
import { ListMaker, listKey, privateKey } from '../../../test/support/identity.js'
import { encodeEntry, encodeEntryContent, ENTRY_LABEL, hashOfEntry, RIGHTS } from './entry.js'
import { extendList } from './list.js'
import { encodePasskeySignature, passkeyChallenge } from './signatures.js'
import { signContent } from '../mls/signature.js'
import { sha256 } from '../sha256.js'

const USER = 'mimi://example.com/u/alice'
const RP_ID = 'chat.example.com'

interface Assertion {
  type?: string
  challenge?: string
  rpId?: string
  flags?: number
  json?: string
}

/** A list in which a passkey enrols a device, with an assertion as `wish` spoils it. */
async function enrolledByPasskey(wish: Assertion): Promise<unknown> {
  const maker = await ListMaker.begin(USER)
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const passkey = await maker.certify(maker.root, RP_ID, key, { kind: 'passkey', rights: RIGHTS.enrol })
  const content = encodeEntryContent({
    user: USER,
    number: 3,
    previous: hashOfEntry({ bytes: maker.entries.at(-1) ?? new Uint8Array() }),
    time: maker.time,
    signer: passkey.number,
    body: { type: 'certificate', certificate: maker.certificate('mimi://example.com/d/alice/laptop', privateKey()) },
  })
  const challenge = Buffer.from(passkeyChallenge(signContent(ENTRY_LABEL, content))).toString('base64url')
  const client = { type: wish.type ?? 'webauthn.get', challenge: wish.challenge ?? challenge, origin: `https://${RP_ID}` }
  const clientDataJson = Buffer.from(wish.json ?? JSON.stringify(client))
  const authenticatorData = Buffer.concat([sha256(wish.rpId ?? RP_ID), Buffer.of(wish.flags ?? 0x05), Buffer.alloc(4)])
  const signature = sign('sha256', Buffer.concat([authenticatorData, sha256(clientDataJson)]), key)
  const entry = encodeEntry(content, encodePasskeySignature({ authenticatorData, clientDataJson, signature }))
  const checked = await extendList(USER, undefined, [...maker.entries, entry])
  return checked.kind === 'valid' ? checked.value.number : checked.rule
}

it('takes an assertion of a passkey for a signature', async () => {
  await expect(enrolledByPasskey({})).resolves.toBe(3)
})

it.each([
  ['a registration', { type: 'webauthn.create' }],
  ['another challenge', { challenge: 'AAAA' }],
  ['another RP ID', { rpId: 'example.com' }],
  ['nobody verified', { flags: 0x01 }],
  ['nobody present', { flags: 0x04 }],
  ['client data that is not JSON', { json: 'x' }],
  ['client data that is no object', { json: 'null' }],
] as const)('refuses %s', async (_what, wish) => {
  await expect(enrolledByPasskey(wish)).resolves.toBe('entry-signature')
})

it('does not take a bare signature from a passkey', async () => {
  const maker = await ListMaker.begin(USER)
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const passkey = await maker.certify(maker.root, RP_ID, key, { kind: 'passkey', rights: RIGHTS.enrol })
  await maker.certify(passkey, 'mimi://example.com/d/alice/laptop', privateKey())
  await expect(extendList(USER, undefined, maker.entries)).resolves.toEqual({ kind: 'broken', rule: 'entry-signature' })
  expect(listKey(key).scheme).toBe(0x0403)
})
