import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { DeviceListChanges } from '../../src/authentication/device-list/device-list-changes.js'
import { KnownLists } from '../../src/authentication/device-list/known-lists.js'
import { toBase64url } from '../../src/platform/http/bytes.js'
import { certificateOf } from '../../src/protocol/identity/device-list.js'
import { signaturePublicKey } from '../../src/protocol/mls/signature.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { startServer, type TestServer } from '../support/server.js'
import { ED25519, Http, newName, prove, TestDevice, typeOf, UNLIMITED, visible, type Answer } from '../authentication/device-fixture.js'
import { ListMaker, privateKey, type Holder } from '../support/mls/device-lists.js'
import { ListedAccount, refusalOf, seenList } from './listed-account.js'

let database: TestDatabase
let open: TestServer
/** On the same database. */
let closed: TestServer
beforeAll(async () => {
  database = await createTestDatabase()
  open = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000' }, { database })
  closed = await startServer({ ...UNLIMITED, REGISTRATION: 'closed' }, { database })
})
afterAll(async () => {
  await closed.close()
  await open.close()
  await database.drop()
})

/** An account with a recovery key, whose devices are lost. */
async function lost(): Promise<{ account: ListedAccount; words: Holder; found: TestDevice }> {
  const account = await ListedAccount.registered(open.url)
  const words = await account.list.certify(account.holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
  await account.append(3)
  return { account, words, found: new TestDevice(account.phone.http, account.phone.name, 'found') }
}

/** Asks for the list with the key of `holder`, as a device of this name. */
async function listFor(device: TestDevice, { key }: Pick<Holder, 'key'>): Promise<Answer> {
  const challenge = await device.http.challenge(device.client, 'login')
  const deviceKey = { scheme: ED25519, privateKey: key, publicKey: signaturePublicKey(key) }
  const proof = await prove(deviceKey, device.client, challenge)
  const body = { client: device.client, nonce: challenge.nonce, public_key: toBase64url(deviceKey.publicKey), proof }
  return device.http.call('POST', '/v1/device-lists/recovery', { body })
}

describe('who has lost all devices and has a recovery key', () => {
  it('reads the list by it, registers a new device, and revokes the lost one', async () => {
    const { account, words, found } = await lost()
    const { list } = await seenList(await listFor(found, words), found.user)
    expect(list.hashes).toHaveLength(3)
    const holder = await account.list.certify(words, found.client, found.key.privateKey)
    const device_list = await account.update(4, await account.list.head(holder))
    expect((await found.register({ device_list })).status).toBe(201)
    await account.list.revoke(holder, account.holder.number)
    const revoked = await found.call('POST', '/v1/device-list', await account.update(5, await account.list.head(holder)))
    expect(revoked.status).toBe(200)
    expect(await account.phone.standing()).toBe('device-revoked')
    expect(certificateOf((await account.seen(found)).list, found.client)?.number).toBe(4)
  })

  it('cannot do it by another key, nor by one of a device', async () => {
    const { account, found } = await lost()
    for (const key of [privateKey(), account.holder.key]) expect(typeOf(await listFor(found, { key }))).toBe('login-refused')
    const nobody = new TestDevice(found.http, newName(), 'found')
    expect(visible(await listFor(nobody, { key: privateKey() }))).toEqual(visible(await listFor(found, { key: privateKey() })))
  })

  it('learns of a user only with a key of that user', async () => {
    const { account, found } = await lost()
    const attempt = async (device: TestDevice, list: ListMaker, by: Holder): Promise<Answer> => {
      const holder = await list.certify(by, device.client, device.key.privateKey)
      const update = await new ListedAccount(device, list, holder).update(list.number)
      list.entries.pop()
      return device.register({ device_list: update })
    }
    const nobody = new TestDevice(found.http, newName(), 'found')
    const theirs = await ListMaker.begin(nobody.user)
    const answers = [
      await attempt(nobody, theirs, theirs.root),
      // A key that is in no list, a device's, and the recovery key of a list that went on.
      await attempt(found, account.list, { number: 3, key: privateKey() }),
      await attempt(found, account.list, account.holder),
    ]
    expect(answers.map(typeOf)).toEqual(Array(3).fill('registration-refused'))
    expect(new Set(answers.map((answer) => JSON.stringify(visible(answer)))).size).toBe(1)
  })

  it('reads it by the identity key too, as long as that has not ended', async () => {
    const { account, found } = await lost()
    expect((await listFor(found, account.list.root)).status).toBe(200)
    await account.list.revoke(account.list.root, 1)
    expect((await account.append(4)).status).toBe(200)
    expect(typeOf(await listFor(found, account.list.root))).toBe('login-refused')
  })

  it('reads one of which the release before stored no keys', async () => {
    const { account, words, found } = await lost()
    await open.pool.query(`UPDATE device_certificate SET holder_key = NULL FROM account a WHERE a.id = account_id AND a.user_uri = $1`, [
      found.user,
    ])
    await open.pool.query('UPDATE device_list SET identity_key = NULL FROM account a WHERE a.id = account_id AND a.user_uri = $1', [
      found.user,
    ])
    for (const holder of [words, account.list.root]) expect((await listFor(found, holder)).status).toBe(200)
    for (const key of [privateKey(), account.holder.key]) expect(typeOf(await listFor(found, { key }))).toBe('login-refused')
  })

  it('needs no code where registration is closed: the account is there', async () => {
    const { account, words, found } = await lost()
    const there = new TestDevice(new Http(closed.url), found.name, 'found')
    const holder = await account.list.certify(words, there.client, there.key.privateKey)
    const device_list = await account.update(4, await account.list.head(holder))
    expect((await there.register({ device_list })).status).toBe(201)
    expect(typeOf(await (await ListedAccount.prepared(closed.url)).register())).toBe('registration-refused')
  })
})

describe('an account without a list', () => {
  it('begins one by a fresh proof of a key, and its other devices stay as they are', async () => {
    const phone = await TestDevice.registered(open.url)
    const tablet = await phone.addDevice('tablet')
    const account = await ListedAccount.of(phone)
    const update = await account.update(1)
    expect(typeOf(await phone.call('POST', '/v1/device-list', update))).toBe('step-up-required')
    const begin = async (subject: Uint8Array) =>
      phone.http.call('POST', '/v1/device-list', {
        body: update,
        token: phone.accessToken,
        headers: await phone.stepUp('begin-identity', subject),
      })
    expect(typeOf(await begin(account.list.identity))).toBe('step-up-required')
    const { hashes } = await seenOf(account)
    expect((await begin(hashes.at(-1)!)).status).toBe(200)
    expect((await account.seen()).identities).toBe(1)
    expect(await tablet.standing()).toBe('accepted')

    // The other one is certified with its keys' possession, or revoked with a fresh proof.
    expect((await phone.call('DELETE', '/v1/devices/tablet')).status).toBe(204)
    expect(typeOf(await phone.call('DELETE', '/v1/devices/phone'))).toBe('device-list-required')
  })

  it('does not begin one that leaves out the device which begins it', async () => {
    const phone = await TestDevice.registered(open.url)
    const tablet = await phone.addDevice('tablet')
    const list = await ListMaker.begin(phone.user)
    const account = new ListedAccount(phone, list, await list.certify(list.root, tablet.client, tablet.key.privateKey))
    const { hashes } = await seenOf(account)
    const answer = await phone.http.call('POST', '/v1/device-list', {
      body: await account.update(1),
      token: phone.accessToken,
      headers: await phone.stepUp('begin-identity', hashes.at(-1)!),
    })
    expect(refusalOf(answer)).toBe('device-certified')
  })
})

/** The list as it was made. */
async function seenOf(account: ListedAccount) {
  const update = await account.update(1)
  const answer = { status: 200, headers: new Headers(), body: { ...update, identities: 1, number: 2 } as unknown as Answer['body'] }
  return (await seenList(answer, account.phone.user)).list
}

describe('what nobody is verified for', () => {
  afterEach(() => void jest.restoreAllMocks())

  it('a list, for who proves no key', async () => {
    const { found } = await lost()
    const read = jest.spyOn(open.app.get(KnownLists, { strict: false }), 'of')
    const challenge = await found.http.challenge(found.client, 'login')
    const proof = toBase64url(new Uint8Array(64))
    const body = { client: found.client, nonce: challenge.nonce, public_key: toBase64url(found.key.publicKey), proof }
    expect(typeOf(await found.http.call('POST', '/v1/device-lists/recovery', { body }))).toBe('login-refused')
    expect(read).not.toHaveBeenCalled()
  })

  it('more entries than begin a list', async () => {
    const account = await ListedAccount.of(new TestDevice(new Http(open.url), newName(), 'phone'))
    for (let more = 0; more < 3; more++)
      await account.list.certify(account.list.root, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    const verified = jest.spyOn(open.app.get(DeviceListChanges, { strict: false }), 'prepare')
    expect(typeOf(await account.register())).toBe('invalid-request')
    expect(verified).not.toHaveBeenCalled()
    account.list.entries.pop()
    expect((await account.register()).status).toBe(201)
  })

  it('entries, where nobody may register', async () => {
    const account = await ListedAccount.of(new TestDevice(new Http(closed.url), newName(), 'phone'))
    const verified = jest.spyOn(closed.app.get(DeviceListChanges, { strict: false }), 'prepare')
    expect(typeOf(await account.register())).toBe('registration-refused')
    expect(verified).not.toHaveBeenCalled()
  })
})
