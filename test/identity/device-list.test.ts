import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { toBase64url } from '../../src/platform/http/bytes.js'
import { certificateOf } from '../../src/protocol/identity/device-list.js'
import { startServer, type TestServer } from '../support/server.js'
import { newKey, newName, provenKey, TestDevice, typeOf, UNLIMITED, Http } from '../authentication/device-fixture.js'
import { privateKey } from '../support/mls/device-lists.js'
import { ListedAccount, readList, refusalOf } from './listed-account.js'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000' })
})
afterAll(() => server.close())

describe('an account that registers with a device list', () => {
  it('has it, for everybody to see and verify', async () => {
    const account = await ListedAccount.registered(server.url)
    const { list, identities, number } = await account.seen(await TestDevice.registered(server.url))
    expect([identities, number]).toEqual([1, 2])
    expect(certificateOf(list, account.phone.client)?.number).toBe(2)
  })

  it('may bring a recovery key as well', async () => {
    const account = await ListedAccount.prepared(server.url)
    await account.list.certify(account.list.root, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    expect((await account.phone.register({ device_list: await account.update(1) })).status).toBe(201)
    expect((await account.seen()).number).toBe(3)
  })

  it('is shown from an entry on, and not at all where there is none', async () => {
    const account = await ListedAccount.registered(server.url)
    const page = async (from: number) =>
      ((await readList(account.phone, account.phone.user, from)).body as unknown as { entries: string[] }).entries
    expect(await page(2)).toEqual([toBase64url(account.list.entries[1]!)])
    expect(await page(3)).toEqual([])
    const plain = await TestDevice.registered(server.url)
    expect((await readList(account.phone, plain.user)).status).toBe(404)
    expect((await readList(account.phone, `mimi://localhost/u/${newName()}`)).status).toBe(404)
  })

  it.each<[string, (account: ListedAccount) => Promise<void>, string]>([
    [
      'other keys than it registers',
      async ({ phone, list }) => void (await list.certify(list.root, phone.client, privateKey())),
      'device-keys',
    ],
    ['no certificate', () => Promise.resolve(), 'device-certified'],
    [
      'the certificate of another device',
      async ({ phone, list }) => void (await list.certify(list.root, `${phone.client}-2`, phone.key.privateKey)),
      'device-registered',
    ],
  ])('is refused with %s', async (_case, write, rule) => {
    const phone = new TestDevice(new Http(server.url), newName())
    const { list } = await ListedAccount.prepared(server.url, phone.name)
    list.entries.splice(1)
    const account = new ListedAccount(phone, list, list.root)
    await write(account)
    const answer = await phone.register({ device_list: await account.update(1) })
    expect([answer.status, refusalOf(answer)]).toEqual([422, rule])
  })

  it('is refused with the list of another user', async () => {
    const other = await ListedAccount.prepared(server.url)
    const answer = await new TestDevice(new Http(server.url), newName()).register({ device_list: await other.update(1) })
    expect(refusalOf(answer)).toBe('entry-user')
  })
})

describe('a device of an account with a list', () => {
  it('is added by its certificate', async () => {
    const account = await ListedAccount.registered(server.url)
    const { device } = await account.addDevice('laptop')
    expect(await device.standing()).toBe('accepted')
    expect(certificateOf((await account.seen(device)).list, device.client)?.number).toBe(3)
  })

  it('is not added without', async () => {
    const { phone } = await ListedAccount.registered(server.url)
    const ghost = new TestDevice(phone.http, phone.name, 'ghost')
    const answer = await phone.call('POST', '/v1/devices', await ghost.proofs())
    expect([answer.status, typeOf(answer)]).toEqual([409, 'device-list-required'])
    expect(typeOf(await ghost.login())).toBe('login-refused')
  })

  it('cannot exist without, also where its row is written by hand', async () => {
    const { phone } = await ListedAccount.registered(server.url)
    const insert = server.pool.query(
      "INSERT INTO device (account_id, client_uri) SELECT id, user_uri || '/ghost' FROM account WHERE user_uri = $1",
      [phone.user],
    )
    await expect(insert).rejects.toThrow('has no certificate')
  })

  it('is not added with a certificate that leaves out one of its keys, or is another’s', async () => {
    const account = await ListedAccount.registered(server.url)
    const laptop = new TestDevice(account.phone.http, account.phone.name, 'laptop', [newKey(), newKey(0x0403)])
    await account.list.certify(account.holder, laptop.client, laptop.key.privateKey)
    expect(refusalOf(await account.add(laptop))).toBe('device-keys')
    account.list.entries.pop()
    await account.list.certify(account.holder, `${laptop.client}2`, laptop.key.privateKey)
    expect(refusalOf(await account.add(laptop))).toBe('device-registered')
    account.list.entries.pop()
    await account.list.revoke(account.holder, account.holder.number)
    expect(
      refusalOf(
        await account.phone.call('POST', '/v1/devices', {
          ...(await laptop.proofs()),
          device_list: await account.update(3, await account.list.head(account.list.root)),
        }),
      ),
    ).toBe('device-certified')
  })

  it('gets another key by a certificate with all of its keys', async () => {
    const account = await ListedAccount.registered(server.url)
    const { phone, list } = account
    const key = newKey(0x0403)
    const challenge = await phone.http.challenge(phone.client, 'new-key')
    const body = { ...(await provenKey(key, phone.client, challenge)), nonce: challenge.nonce }
    expect(typeOf(await phone.call('POST', '/v1/devices/self/keys', body))).toBe('device-list-required')
    const { keys } = await list.certificate(phone.client, [phone.key.privateKey, key.privateKey])
    await list.certify(account.holder, phone.client, phone.key.privateKey, { keys })
    const holder = { ...account.holder, number: 3 }
    const device_list = await account.update(3, await list.head(holder))
    expect((await phone.call('POST', '/v1/devices/self/keys', { ...body, device_list })).status).toBe(201)
    expect((await account.seen()).list.certificates.get(3)?.keys).toHaveLength(2)
    expect(await certifiedKeys(phone)).toEqual([3, 3])

    // Another certificate leaves one out: it is retired.
    await list.certify(holder, phone.client, phone.key.privateKey)
    expect(
      (await account.phone.call('POST', '/v1/device-list', await account.update(4, await list.head({ ...holder, number: 4 })))).status,
    ).toBe(200)
    expect(await certifiedKeys(phone)).toEqual([4, null])
    expect(typeOf(await phone.login(key))).toBe('login-refused')
    expect((await phone.login()).status).toBe(201)
  })

  it('is revoked by an entry alone', async () => {
    const account = await ListedAccount.registered(server.url)
    const { device, holder } = await account.addDevice('laptop')
    expect(typeOf(await account.phone.call('DELETE', '/v1/devices/laptop'))).toBe('device-list-required')
    await account.list.revoke(account.holder, holder.number)
    expect((await account.append(4)).status).toBe(200)
    expect(await device.standing()).toBe('device-revoked')
    expect(typeOf(await device.login())).toBe('login-refused')
    expect(await certifiedKeys(device)).toEqual([null])
  })

  it('that is revoked extends the list no more, neither by itself nor by the hand of another', async () => {
    const account = await ListedAccount.registered(server.url)
    const { device, holder } = await account.addDevice('laptop')
    await account.list.revoke(account.holder, holder.number)
    await account.append(4)
    await account.list.revoke(holder, account.holder.number)
    expect(typeOf(await account.append(5, device))).toBe('device-revoked')
    expect(refusalOf(await account.append(5))).toBe('entry-signer')
  })
})

/** What the rows of a device's keys say, in their order. */
async function certifiedKeys({ client }: TestDevice): Promise<(number | null)[]> {
  const { rows } = await server.pool.query<{ certificate: number | null }>(
    'SELECT certificate FROM signature_key JOIN device d ON d.id = device_id WHERE client_uri = $1 ORDER BY signature_key.id',
    [client],
  )
  return rows.map(({ certificate }) => certificate)
}
