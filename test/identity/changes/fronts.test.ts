import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { toBase64url } from '../../../src/platform/http/bytes.js'
import { TestDevice, typeOf, UNLIMITED, type Answer } from '../../authentication/device-fixture.js'
import { privateKey, type Holder } from '../../support/mls/device-lists.js'
import { startServer, type TestServer } from '../../support/server.js'
import { age, call, decide, household, lastEntryHash, proofBy, revoke, type Household } from './changes-fixture.js'

/** What a thief of one device puts between it and the end of the others. */
let server: TestServer
let home: Household
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000' })
})
afterAll(() => server.close())
beforeEach(async () => {
  home = await household(server)
})

describe('a stolen device that renews its certificate in the change that has to wait', () => {
  /** Entry 6 renews the laptop's certificate, which signs the end of the phone and of the words. */
  const change = async (headers: (hash: Uint8Array) => Promise<Record<string, string>>): Promise<Answer> => {
    const { list } = home.account
    const renewed = await list.certify(home.of.laptop, home.laptop.client, home.laptop.key.privateKey)
    for (const { number } of [home.of.phone, home.of.words]) await list.revoke(renewed, number)
    const body = await home.account.update(6, await list.head(renewed))
    return home.laptop.http.call('POST', '/v1/device-list', {
      body,
      token: home.laptop.accessToken,
      headers: await headers(lastEntryHash(home.account)),
    })
  }

  it('does not approve it itself', async () => {
    expect(typeOf(await change((hash) => proofBy(home.laptop, 'approve-change', hash, home.of.laptop)))).toBe('forbidden')
    expect(await home.phone.standing()).toBe('accepted')
  })

  it('does not approve it later, and takes it back', async () => {
    expect((await change(() => Promise.resolve({}))).status).toBe(202)
    expect(typeOf(await decide('approve', home.laptop, home.of.laptop))).toBe('forbidden')
    expect((await decide('refuse', home.laptop, home.of.laptop)).status).toBe(204)
  })

  it('is refused by the others', async () => {
    expect((await change(() => Promise.resolve({}))).status).toBe(202)
    expect((await decide('refuse', home.phone, home.of.phone)).status).toBe(204)
  })
})

describe('a stolen device that certifies words of its own', () => {
  /** A device that comes by these words, as one whose user has lost all others. */
  const byWords = async (words: Holder): Promise<{ device: TestDevice; holder: Holder }> => {
    const { list } = home.account
    const device = new TestDevice(home.phone.http, home.phone.name, 'puppet')
    const before = list.number
    const holder = await list.certify(words, device.client, device.key.privateKey)
    const device_list = { entries: list.entries.slice(before).map(toBase64url), head: toBase64url(await list.head(holder)) }
    expect((await device.register({ device_list })).status).toBe(201)
    return { device, holder }
  }
  const ownWords = async (): Promise<Holder> => {
    const { list } = home.account
    const words = await list.certify(home.of.laptop, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    const body = await home.account.update(list.number, await list.head(home.of.laptop))
    expect((await home.laptop.call('POST', '/v1/device-list', body)).status).toBe(200)
    return words
  }

  it('does not end the other device at once by a device that it brings in by them', async () => {
    const puppet = await byWords(await ownWords())
    expect((await revoke(home, puppet, [home.of.phone])).status).toBe(202)
    expect(typeOf(await decide('approve', home.laptop, home.of.laptop))).toBe('forbidden')
    expect((await decide('refuse', home.phone, home.of.phone)).status).toBe(204)
  })

  it('is no longer behind them when everybody had time to see them', async () => {
    const puppet = await byWords(await ownWords())
    await age(server.pool, home.account)
    expect((await revoke(home, puppet, [home.of.phone])).status).toBe(200)
  })
})

describe('words that a stolen device has certified, and that grow old while its own end waits', () => {
  /** The laptop certifies words; a minute later the phone ends both, which has to wait. A day less ten seconds pass. */
  const grownOld = async (): Promise<Holder> => {
    const { list } = home.account
    const words = await list.certify(home.of.laptop, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    const certified = await home.account.update(list.number, await list.head(home.of.laptop))
    expect((await home.laptop.call('POST', '/v1/device-list', certified)).status).toBe(200)
    expect((await revoke(home, { device: home.phone, holder: home.of.phone }, [home.of.laptop, words])).status).toBe(202)
    const { user } = home.phone
    await server.pool.query(
      `UPDATE device_certificate SET certified_at = certified_at - interval '24 hours' - interval '50 seconds'
        WHERE number = $2 AND account_id = (SELECT id FROM account WHERE user_uri = $1)`,
      [user, words.number],
    )
    await server.pool.query(
      `UPDATE pending_list_change SET effective_at = now() + interval '10 seconds' WHERE account_id = (SELECT id FROM account WHERE user_uri = $1)`,
      [user],
    )
    return words
  }

  it('do not refuse it, nor end the account', async () => {
    const words = await grownOld()
    expect(typeOf(await decide('refuse', home.laptop, words))).toBe('step-up-required')
    const headers = await proofBy(home.laptop, 'delete-account', Buffer.from(home.laptop.user), words)
    expect(typeOf(await call(home.laptop, 'DELETE', '/v1/me', headers))).toBe('step-up-required')
    expect(typeOf(await home.phone.call('GET', '/v1/device-list/pending'))).toBe('no problem but 200')
  })

  it('bring in no device that takes its place', async () => {
    const words = await grownOld()
    const { list } = home.account
    const device = new TestDevice(home.phone.http, home.phone.name, 'puppet')
    const holder = await list.certify(words, device.client, device.key.privateKey)
    const device_list = { entries: list.entries.slice(-1).map(toBase64url), head: toBase64url(await list.head(holder)) }
    expect(typeOf(await device.register({ device_list }))).toBe('change-pending')
  })
})
