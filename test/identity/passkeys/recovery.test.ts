import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { DeviceListChanges } from '../../../src/authentication/device-list/device-list-changes.js'
import { KnownLists } from '../../../src/authentication/device-list/known-lists.js'
import { fromBase64url, toBase64url } from '../../../src/platform/http/bytes.js'
import { deviceLoginContent } from '../../../src/protocol/device-login.js'
import { certificateOf } from '../../../src/protocol/identity/device-list.js'
import { signaturePublicKey, signContent, signWithLabel } from '../../../src/protocol/mls/signature.js'
import { startServer, type TestServer } from '../../support/server.js'
import { newName, TestDevice, typeOf, UNLIMITED, visible, type Answer, type Challenge } from '../../authentication/device-fixture.js'
import { passkeySignature, privateKey, type AssertionWish, type Holder } from '../../support/mls/device-lists.js'
import { ListedAccount, readList, seenList } from '../listed-account.js'

const RP_ID = 'passkeys.example'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000' })
})
afterAll(() => server.close())
afterEach(() => void jest.restoreAllMocks())

/** An account with a passkey, and a device that its user has found after the loss of the phone. */
async function lost(type: 'ec' | 'ed25519' = 'ec') {
  const account = await ListedAccount.registered(server.url)
  const { privateKey: key } = type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  const passkey = await account.list.certify(account.holder, RP_ID, key, { kind: 'passkey', rights: 1 })
  expect((await account.append(3)).status).toBe(200)
  return { account, passkey, found: new TestDevice(account.phone.http, account.phone.name, 'found') }
}

const contentOf = (client: string, { domain, nonce, expires_at: expiresAt }: Challenge) =>
  deviceLoginContent({ domain, client, nonce: fromBase64url(nonce)!, expiresAt: BigInt(expiresAt) })

interface Asked {
  wish?: AssertionWish
  rpId?: string | undefined
  /** Signs as another key would. */
  bare?: boolean
  challenge?: Challenge
}

async function listFor(device: TestDevice, { key }: Pick<Holder, 'key'>, asked: Asked = {}): Promise<Answer> {
  const challenge = asked.challenge ?? (await device.http.challenge(device.client, 'login'))
  const content = contentOf(device.client, challenge)
  const rpId = 'rpId' in asked ? asked.rpId : RP_ID
  const proof = asked.bare
    ? await signWithLabel(key, challenge.label, content)
    : passkeySignature(key, rpId ?? RP_ID, signContent(challenge.label, content), asked.wish)
  const body = {
    client: device.client,
    nonce: challenge.nonce,
    public_key: toBase64url(signaturePublicKey(key)),
    proof: toBase64url(proof),
  }
  return device.http.call('POST', '/v1/device-lists/recovery', { body: { ...body, ...(rpId === undefined ? {} : { rp_id: rpId }) } })
}

describe.each(['ec', 'ed25519'] as const)('who has lost all devices and has a passkey (%s)', (type) => {
  it('reads the list by it, registers a new device, and revokes the lost one', async () => {
    const { account, passkey, found } = await lost(type)
    const { list } = await seenList(await listFor(found, passkey), found.user)
    expect(list.hashes).toHaveLength(3)
    const holder = await account.list.certify(passkey, found.client, found.key.privateKey)
    expect((await found.register({ device_list: await account.update(4, await account.list.head(holder)) })).status).toBe(201)
    await account.list.revoke(holder, account.holder.number)
    const revoked = await found.call('POST', '/v1/device-list', await account.update(5, await account.list.head(holder)))
    expect(revoked.status).toBe(200)
    expect(await account.phone.standing()).toBe('device-revoked')
    expect(certificateOf((await account.seen(found)).list, found.client)).toMatchObject({ number: 4, signer: passkey.number })
  })
})

it('a passkey enrols a device beside the one that has the session', async () => {
  const { account, passkey } = await lost()
  const tablet = new TestDevice(account.phone.http, account.phone.name, 'tablet')
  await account.list.certify(passkey, tablet.client, tablet.key.privateKey)
  expect((await account.add(tablet)).status).toBe(201)
  expect(certificateOf((await account.seen()).list, tablet.client)?.signer).toBe(passkey.number)
})

describe('the list is not shown', () => {
  it.each<[string, Asked]>([
    ['a bare signature by the passkey’s key', { bare: true, rpId: undefined }],
    ['a bare signature under its RP ID', { bare: true }],
    ['an assertion without its RP ID', { rpId: undefined }],
    ['one under another RP ID', { rpId: 'evil.example' }],
    ['one that another page asked for', { wish: { origin: 'https://evil.example' } }],
    ['one of another RP ID’s authenticator data', { wish: { rpId: 'evil.example' } }],
    ['one without the user being verified', { wish: { flags: 0x01 } }],
    ['one over another challenge', { wish: { challenge: toBase64url(new Uint8Array(32)) } }],
    ['the answer to a registration', { wish: { type: 'webauthn.create' } }],
  ])('for %s', async (_what, asked) => {
    const { passkey, found } = await lost()
    expect(typeOf(await listFor(found, passkey, asked))).toBe('login-refused')
    expect((await listFor(found, passkey)).status).toBe(200)
  })

  it('twice for one assertion, nor for one under the purpose of something else', async () => {
    const { passkey, found } = await lost()
    const challenge = await found.http.challenge(found.client, 'login')
    expect((await listFor(found, passkey, { challenge })).status).toBe(200)
    expect(typeOf(await listFor(found, passkey, { challenge }))).toBe('login-refused')
    const other = await found.http.challenge(found.client, 'registration')
    expect(typeOf(await listFor(found, passkey, { challenge: other }))).toBe('login-refused')
  })

  it('for a passkey that was ended, nor for that of somebody else', async () => {
    const { account, passkey, found } = await lost()
    const other = await lost()
    expect(typeOf(await listFor(found, other.passkey))).toBe('login-refused')
    await account.list.revoke({ ...passkey }, passkey.number)
    expect((await account.append(4)).status).toBe(200)
    expect(typeOf(await listFor(found, passkey))).toBe('login-refused')
  })

  it('in another way to who asks for a user that there is not', async () => {
    const { found } = await lost()
    const nobody = new TestDevice(found.http, newName(), 'found')
    const stranger = { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }
    expect(visible(await listFor(nobody, stranger))).toEqual(visible(await listFor(found, stranger)))
  })
})

describe('no list is verified', () => {
  const spied = () => jest.spyOn(server.app.get(KnownLists, { strict: false }), 'of')

  it('for who asks for one by a key of their own, nor for its holder', async () => {
    const { account, passkey, found } = await lost()
    const read = spied()
    expect(typeOf(await listFor(found, { key: privateKey() }))).toBe('login-refused')
    expect(typeOf(await listFor(found, account.holder, { bare: true, rpId: undefined }))).toBe('login-refused')
    expect((await listFor(found, passkey)).status).toBe(200)
    expect(read).not.toHaveBeenCalled()
  })

  it('for who sends an entry that no holder in the list has signed', async () => {
    const { account, passkey, found } = await lost()
    const attempt = async (by: Holder, more: object = {}) => {
      const holder = await account.list.certify(by, found.client, found.key.privateKey)
      const device_list = { ...(await account.update(account.list.number, await account.list.head(holder))), ...more }
      account.list.entries.pop()
      return typeOf(await found.register({ device_list }))
    }
    const { privateKey: another } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const read = spied()
    expect(await attempt({ ...passkey, key: another })).toBe('registration-refused')
    expect(await attempt({ number: passkey.number, key: passkey.key })).toBe('registration-refused')
    expect(await attempt({ number: 9, key: another })).toBe('registration-refused')
    expect(await attempt(account.holder)).toBe('registration-refused')
    expect(read).not.toHaveBeenCalled()
    expect(await attempt(passkey)).toBe('no problem but 201')
  })

  it('for who sends an entry of the list once more, and it costs the user nothing', async () => {
    const { account, passkey, found } = await lost()
    const holder = await account.list.certify(passkey, found.client, found.key.privateKey)
    const device_list = await account.update(4, await account.list.head(holder))
    expect((await found.register({ device_list })).status).toBe(201)
    const read = spied()
    const taken = jest.spyOn(server.app.get(DeviceListChanges, { strict: false }), 'take')
    const copied = await readList(account.phone, account.phone.user, 4)
    const thief = new TestDevice(account.phone.http, account.phone.name, 'thief')
    const { entries, head } = copied.body as unknown as { entries: string[]; head: string }
    expect(typeOf(await thief.register({ device_list: { entries, head } }))).toBe('registration-refused')
    expect(read).not.toHaveBeenCalled()
    expect(taken).not.toHaveBeenCalled()
  })
})
