import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { TestDevice, typeOf, UNLIMITED, type Answer } from '../../authentication/device-fixture.js'
import { privateKey, type Holder } from '../../support/mls/device-lists.js'
import { startServer, type TestServer } from '../../support/server.js'
import { age, decide } from '../changes/changes-fixture.js'
import { ListedAccount } from '../listed-account.js'

const RECOVERY = { kind: 'recovery-key', rights: 1 } as const
/** Entries of one request. */
const AT_ONCE = 16
/** Entries of a fresh account here: identity key, phone, words. */
const FRESH = 3

let server: TestServer
let account: ListedAccount
/** Certified by the identity key. */
let words: Holder
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000' })
})
afterAll(() => server.close())
beforeEach(async () => {
  account = await ListedAccount.prepared(server.url)
  words = await account.list.certify(account.list.root, '', privateKey(), RECOVERY)
  const answer = await account.register()
  expect(answer.status).toBe(201)
})

/** Sends what was written behind entry `sent`. What is refused is forgotten. */
async function send(sent: number): Promise<Answer> {
  const { list } = account
  const answer = await account.append(sent + 1)
  if (answer.status !== 200) list.entries.splice(sent)
  return answer
}

/** Writes certificates, as many as go into a request at once, until the list has 200 entries or something is refused. */
async function fill(write: () => Promise<unknown>, atOnce = AT_ONCE): Promise<Answer> {
  const { list } = account
  for (;;) {
    const sent = list.number
    while (list.number < sent + atOnce) await write()
    const answer = await send(sent)
    if (answer.status !== 200 || list.number > 200) return answer
  }
}

const enrol = (by = account.holder): Promise<Holder> => account.list.certify(by, '', privateKey(), RECOVERY)

/** Certifies a recovery key and ends it, so that the active ones do not run out. */
async function enrolAndEnd(by?: Holder): Promise<void> {
  const { number } = await enrol(by)
  await account.list.revoke(account.holder, number)
}

const NUMBER = () => account.list.number
const REFUSED = { status: 429, body: { used: 50, allowed: 50 } }

describe('a stolen device', () => {
  it('certifies no more than fifty in a day, however few there are in a request', async () => {
    for (const atOnce of [AT_ONCE, 2]) expect(typeOf(await fill(enrolAndEnd, atOnce))).toBe('rate-limited')
    expect(NUMBER()).toBe(FRESH + 100)
    await enrol()
    const refused = await send(NUMBER() - 1)
    expect(refused).toMatchObject(REFUSED)
    const { retry_after: seconds } = refused.body as { retry_after?: number }
    expect(seconds).toBeGreaterThan(80_000)
    expect(seconds).toBeLessThanOrEqual(86_400)
  })

  it('nor by keys that it has certified itself, nor with other devices', async () => {
    const own = await enrol()
    await send(FRESH)
    const { device: laptop, holder } = await account.addDevice('laptop')
    for (const atOnce of [AT_ONCE, 2]) expect(typeOf(await fill(() => enrolAndEnd(own), atOnce))).toBe('rate-limited')
    expect(NUMBER()).toBe(FRESH + 2 + 96)
    await enrol(holder)
    expect(await account.append(NUMBER(), laptop)).toMatchObject(REFUSED)
  })

  it('nor one by one for a device or a key that it adds', async () => {
    for (const atOnce of [AT_ONCE, 2]) await fill(enrolAndEnd, atOnce)
    const tablet = new TestDevice(account.phone.http, account.phone.name, 'tablet')
    await account.list.certify(account.holder, tablet.client, tablet.key.privateKey)
    expect(await account.add(tablet)).toMatchObject(REFUSED)
  })

  it('has used up nothing with what was refused, or waited and was refused', async () => {
    await age(server.pool, account)
    const { phone, holder, list } = account
    const fifteenAnd = async (last: () => Promise<unknown>): Promise<Answer> => {
      while (NUMBER() < FRESH + 15) await enrol()
      await last()
      const answer = await account.append(FRESH + 1)
      list.entries.splice(FRESH)
      return answer
    }
    for (let round = 0; round < 4; round++) {
      expect(typeOf(await fifteenAnd(() => enrol({ ...holder, key: privateKey() })))).toBe('invalid-device-list')
      expect((await fifteenAnd(() => list.revoke(holder, words.number))).status).toBe(202)
      expect((await decide('refuse', phone, holder)).status).toBe(204)
    }
    await enrol()
    expect((await send(FRESH)).status).toBe(200)
  })
})

describe('when the certificates of a day are used up', () => {
  beforeEach(async () => {
    for (const atOnce of [AT_ONCE, 2]) await fill(enrolAndEnd, atOnce)
    await enrol()
    expect(typeOf(await send(NUMBER() - 1))).toBe('rate-limited')
  })

  it('the words bring the user back, who revokes the stolen device', async () => {
    const found = new TestDevice(account.phone.http, account.phone.name, 'found')
    const holder = await account.list.certify(words, found.client, found.key.privateKey)
    const device_list = await account.update(NUMBER(), await account.list.head(holder))
    expect((await found.register({ device_list })).status).toBe(201)
    await found.login()
    const own = new ListedAccount(found, account.list, holder)
    await account.list.revoke(holder, account.holder.number, FRESH)
    expect((await own.append(NUMBER())).status).toBe(200)
    expect(await account.phone.standing()).toBe('device-revoked')
    // The words certify as many as before.
    await account.list.certify(words, '', privateKey(), RECOVERY)
    expect((await own.append(NUMBER())).status).toBe(200)
  })

  it('devices certify again a day later', async () => {
    await age(server.pool, account)
    await enrol()
    expect((await send(NUMBER() - 1)).status).toBe(200)
  })
})
