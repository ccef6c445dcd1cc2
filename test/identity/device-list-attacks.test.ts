import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createDeviceInvite } from '../../src/authentication/accounts/administration.js'
import { toBase64url } from '../../src/platform/http/bytes.js'
import { startServer, type TestServer } from '../support/server.js'
import { newKey, provenKey, TestDevice, typeOf, UNLIMITED, type Answer } from '../authentication/device-fixture.js'
import { privateKey } from '../support/mls/device-lists.js'
import { ListedAccount, readList, refusalOf } from './listed-account.js'

const DAY = 86_400_000

let server: TestServer
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000' })
})
afterAll(() => server.close())

/** A renewal of the head. */
const renew = async (account: ListedAccount, head: Uint8Array, by = account.phone): Promise<Answer> =>
  by.call('PUT', '/v1/device-list/head', { head: toBase64url(head) })

describe('two devices that append at the same time', () => {
  it('have one winner, and the other one signs again behind it', async () => {
    const account = await ListedAccount.registered(server.url)
    const { device, holder } = await account.addDevice('laptop')
    const { list } = account
    const update = async (by: typeof holder) => {
      await list.certify(by, '', privateKey(), { kind: 'recovery-key', rights: 1 })
      const made = await account.update(4, await list.head(by))
      return { made, entry: list.entries.pop()! }
    }
    const [ofPhone, ofLaptop] = [await update(account.holder), await update(holder)]
    const answers = await Promise.all([
      account.phone.call('POST', '/v1/device-list', ofPhone.made),
      device.call('POST', '/v1/device-list', ofLaptop.made),
    ])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409])
    const lost = answers[0].status === 409 ? 0 : 1
    expect(typeOf(answers[lost])).toBe('device-list-changed')
    expect(answers[lost].body).toMatchObject({ number: 4 })
    list.entries.push((lost === 0 ? ofLaptop : ofPhone).entry)
    await list.certify(lost === 0 ? account.holder : holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    expect((await account.append(5, lost === 0 ? account.phone : device)).status).toBe(200)
    expect((await account.seen()).number).toBe(5)
  })

  it('are eight, and each number is given once', async () => {
    const account = await ListedAccount.registered(server.url)
    const { list, phone, holder } = account
    const updates = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const certificate = await list.certificate('', [privateKey()], { kind: 'recovery-key', rights: 1 })
        return { entry: await list.make(holder, { type: 'certificate', certificate }), holder }
      }),
    )
    const bodies: unknown[] = []
    for (const { entry } of updates) {
      list.entries.push(entry)
      bodies.push(await account.update(3))
      list.entries.pop()
    }
    const answers = await Promise.all(bodies.map((body) => phone.call('POST', '/v1/device-list', body)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter((answer) => typeOf(answer) === 'device-list-changed')).toHaveLength(7)
    expect((await account.seen()).number).toBe(3)
  })
})

describe('a thief of an access token', () => {
  let account: ListedAccount
  let thief: TestDevice
  beforeAll(async () => {
    account = await ListedAccount.registered(server.url)
    await account.addDevice('laptop')
    // The token, and none of the keys.
    thief = new TestDevice(account.phone.http, account.phone.name, 'phone')
    thief.accessToken = account.phone.accessToken
  })

  it('adds no device and no key, retires no key, and revokes no device', async () => {
    const ghost = new TestDevice(thief.http, thief.name, 'ghost')
    const key = newKey()
    const challenge = await thief.http.challenge(thief.client, 'new-key')
    const outcomes = [
      await thief.call('POST', '/v1/devices', await ghost.proofs()),
      await thief.call('POST', '/v1/devices/self/keys', { ...(await provenKey(key, thief.client, challenge)), nonce: challenge.nonce }),
      await thief.call('DELETE', `/v1/devices/self/keys/${await anyKey()}`),
      await thief.call('DELETE', '/v1/devices/laptop'),
      await thief.call('DELETE', '/v1/devices/phone'),
    ]
    expect(outcomes.map(typeOf)).toEqual(Array(5).fill('device-list-required'))
  })

  it('signs no entry and no head', async () => {
    const { list } = account
    const forger = { number: account.holder.number, key: privateKey() }
    const ghost = new TestDevice(thief.http, thief.name, 'ghost')
    await list.certify(forger, ghost.client, ghost.key.privateKey)
    const body = { ...(await ghost.proofs()), device_list: await account.update(4, await list.head(forger)) }
    expect(refusalOf(await thief.call('POST', '/v1/devices', body))).toBe('entry-signature')
    list.entries.pop()
    await list.revoke(forger, 3)
    expect(refusalOf(await thief.call('POST', '/v1/device-list', await account.update(4, await list.head(forger))))).toBe('entry-signature')
    list.entries.pop()
    expect(refusalOf(await renew(account, await list.head(forger), thief))).toBe('head-signature')
    // Nor does it begin another identity in the place of this one.
    const other = await ListedAccount.prepared(server.url, thief.name)
    expect(typeOf(await thief.call('POST', '/v1/device-list', await other.update(1)))).toBe('device-list-changed')
    expect((await account.seen()).number).toBe(3)
  })

  it('does not use the entries of another account', async () => {
    const mine = await ListedAccount.registered(server.url)
    await mine.list.certify(mine.holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    expect(refusalOf(await thief.call('POST', '/v1/device-list', await mine.update(3)))).toBe('device-list-changed')
    await mine.append(3)
    await mine.list.certify(mine.holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    expect(refusalOf(await thief.call('POST', '/v1/device-list', await mine.update(4)))).toBe('entry-user')
  })

  async function anyKey(): Promise<bigint> {
    const { rows } = await server.pool.query<{ id: bigint }>(
      'SELECT k.id FROM signature_key k JOIN device d ON d.id = k.device_id WHERE d.client_uri = $1',
      [account.phone.client],
    )
    return rows[0]!.id
  }
})

describe('a head', () => {
  it('is renewed, and never by an older one', async () => {
    const account = await ListedAccount.registered(server.url)
    const { list, holder } = account
    list.time += 5n
    const newer = await list.head(holder)
    expect((await renew(account, newer)).status).toBe(200)
    expect((await renew(account, newer)).status).toBe(200)
    list.time -= 1n
    expect(refusalOf(await renew(account, await list.head(holder)))).toBe('head-validity')
    expect((await readList(account.phone, account.phone.user)).body).toMatchObject({ number: 2, head: toBase64url(newer) })
    // That of more entries counts, whatever its date.
    await list.certify(holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    expect((await account.append(3)).status).toBe(200)
  })

  it('of a list that has grown is refused: it would hide what came since', async () => {
    const account = await ListedAccount.registered(server.url)
    const before = await account.list.head(account.holder, { issuedAt: account.list.time + 1n })
    await account.addDevice('laptop')
    expect(typeOf(await renew(account, before))).toBe('device-list-changed')
  })
})

describe('an operator’s code for an account that exists', () => {
  const invited = async (account: ListedAccount) => ({
    invite_code: (await createDeviceInvite(server.pool, account.phone.user, DAY))!.code,
  })

  it('begins another identity, which everybody sees; the devices of the former one end', async () => {
    const account = await ListedAccount.registered(server.url)
    const { device } = await account.addDevice('laptop')
    const other = await ListedAccount.prepared(server.url, account.phone.name, { device: 'new-phone' })
    expect((await other.register(await invited(account))).status).toBe(201)
    const seen = await other.seen()
    expect([seen.identities, seen.number]).toEqual([2, 2])
    expect(Buffer.from(seen.list.identity)).toEqual(Buffer.from(other.list.identity))
    for (const lost of [account.phone, device]) {
      expect(await lost.standing()).toBe('device-revoked')
      expect(typeOf(await lost.login())).toBe('login-refused')
    }
    const { rows } = await server.pool.query(
      'SELECT FROM device_certificate c JOIN device d ON d.id = c.device_id WHERE d.client_uri = ANY ($1) AND c.ended IS NULL',
      [[account.phone.client, device.client]],
    )
    expect(rows).toHaveLength(0)
  })

  it('opens nothing without a list, and adds nothing to the list that is there', async () => {
    const account = await ListedAccount.registered(server.url)
    const code = await invited(account)
    const ghost = new TestDevice(account.phone.http, account.phone.name, 'ghost')
    expect(typeOf(await ghost.register(code))).toBe('device-list-required')
    await account.list.certify({ ...account.holder, key: privateKey() }, ghost.client, ghost.key.privateKey)
    expect(typeOf(await ghost.register({ ...code, device_list: await account.update(3) }))).toBe('registration-refused')
    expect(await account.phone.standing()).toBe('accepted')
  })

  it('does not bring a former identity back', async () => {
    const account = await ListedAccount.registered(server.url)
    const [first, second] = [await account.update(1), await ListedAccount.prepared(server.url, account.phone.name, { device: 'second' })]
    expect((await second.register(await invited(account))).status).toBe(201)
    // Somebody who recorded the entries of the former identity, or has its keys.
    const third = new TestDevice(account.phone.http, account.phone.name, 'third')
    await account.list.certify(account.holder, third.client, third.key.privateKey)
    const replayed = { entries: [...first.entries, toBase64url(account.list.entries[2]!)], head: (await account.update(3)).head }
    expect(refusalOf(await third.register({ ...(await invited(account)), device_list: replayed }))).toBe('device-registered')
    expect(refusalOf(await second.phone.call('POST', '/v1/device-list', await account.update(3)))).toBe('entry-previous')
    const { list } = await second.seen()
    expect(Buffer.from(list.identity)).toEqual(Buffer.from(second.list.identity))
  })

  it('keeps the entries of the former identity', async () => {
    const account = await ListedAccount.registered(server.url)
    const other = await ListedAccount.prepared(server.url, account.phone.name, { device: 'new-phone' })
    await other.register(await invited(account))
    const { rows } = await server.pool.query<{ bytes: Buffer }>('SELECT bytes FROM device_list_entry WHERE identity = $1 ORDER BY number', [
      account.list.identity,
    ])
    expect(rows.map(({ bytes }) => toBase64url(bytes))).toEqual(account.list.entries.map(toBase64url))
  })
})

it('refuses a list that is too large, and more changes than the limits let through', async () => {
  const small = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=3,device-list-bytes=1000' })
  try {
    const account = await ListedAccount.registered(small.url)
    for (let more = 0; more < 4; more++) await account.list.certify(account.holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    const update = await account.update(3)
    expect((await account.phone.call('POST', '/v1/device-list', update)).status).toBe(413)
    const statuses: number[] = []
    for (let call = 0; call < 3; call++) statuses.push((await account.phone.call('POST', '/v1/device-list', update)).status)
    expect(statuses).toEqual([413, 413, 429])
    expect((await account.seen()).number).toBe(2)
  } finally {
    await small.close()
  }
})
