import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { disableAccount } from '../../../src/authentication/accounts/accounts.repository.js'
import { activeCertificates } from '../../../src/protocol/identity/device-list.js'
import { TestDevice, typeOf, UNLIMITED, type Answer } from '../../authentication/device-fixture.js'
import { privateKey, type Holder } from '../../support/mls/device-lists.js'
import { startServer, type TestServer } from '../../support/server.js'
import {
  age,
  call,
  decide,
  household,
  inboxOf,
  lastEntryHash,
  letTimePass,
  proofBy,
  revoke,
  runJob,
  type Household,
} from './changes-fixture.js'

let server: TestServer
let home: Household
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000' })
})
afterAll(() => server.close())
beforeEach(async () => {
  home = await household(server)
})

/** The user’s phone ends a stolen laptop, which waits: nobody else is in charge. */
const revokeLaptop = (headers?: (hash: Uint8Array) => Promise<Record<string, string>>): Promise<Answer> =>
  revoke(home, { device: home.phone, holder: home.of.phone }, [home.of.laptop], headers)

const KEYS: [string, (of: Household) => Holder][] = [
  ['the recovery words', ({ of }) => of.words],
  ['a passkey', ({ of }) => of.passkey],
  ['the identity key', ({ account }) => account.list.root],
]

describe.each(KEYS)('%s', (_what, keyOf) => {
  it('approve in the same request, and nothing waits', async () => {
    const answer = await revokeLaptop((hash) => proofBy(home.phone, 'approve-change', hash, keyOf(home)))
    expect(answer).toMatchObject({ status: 200, body: { number: 6 } })
    expect(answer.body).not.toHaveProperty('effective_at')
    expect(await home.laptop.standing()).toBe('device-revoked')
  })

  it('approve later, and the change holds at once', async () => {
    expect((await revokeLaptop()).status).toBe(202)
    expect(await decide('approve', home.phone, keyOf(home))).toMatchObject({ status: 200, body: { number: 6 } })
    expect(await home.laptop.standing()).toBe('device-revoked')
    expect((await home.account.seen()).number).toBe(6)
    expect(await inboxOf(home.phone)).toEqual([])
    expect(typeOf(await decide('approve', home.phone, keyOf(home)))).toBe('not-found')
  })

  it('approve in the place of a change that waits', async () => {
    expect((await revoke(home, { device: home.laptop, holder: home.of.laptop }, [home.of.phone, home.of.words])).status).toBe(202)
    const { list } = home.account
    const targets = [home.of.laptop, home.of.passkey]
    const answer = await revoke(home, { device: home.phone, holder: home.of.phone }, targets, (hash) =>
      proofBy(home.phone, 'approve-change', hash, keyOf(home)),
    )
    expect(answer.status).toBe(200)
    expect((await home.account.seen()).number).toBe(list.number)
    expect(typeOf(await home.phone.call('GET', '/v1/device-list/pending'))).toBe('not-found')
  })

  it('refuse', async () => {
    expect((await revokeLaptop()).status).toBe(202)
    expect((await decide('refuse', home.laptop, keyOf(home))).status).toBe(204)
    expect(await inboxOf(home.phone)).toEqual(['device-list.dropped 6'])
    expect(await home.laptop.standing()).toBe('accepted')
  })
})

describe('a proof', () => {
  const approval = (headers: Record<string, string>) => call(home.phone, 'POST', '/v1/device-list/pending/approval', headers)

  it('is of the change, of the purpose, and by a key of this account that still holds', async () => {
    await revokeLaptop()
    const { entries } = (await home.phone.call('GET', '/v1/device-list/pending')).body as unknown as { entries: string[] }
    expect(entries).toHaveLength(1)
    const { account } = home
    await account.list.revoke(home.of.phone, home.of.laptop.number)
    const hash = lastEntryHash(account)
    account.list.entries.pop()
    const foreign = await household(server)
    const wrong = [
      {},
      await proofBy(home.phone, 'approve-change', Buffer.alloc(32), home.of.words),
      await proofBy(home.phone, 'refuse-change', hash, home.of.words),
      await proofBy(home.laptop, 'approve-change', hash, home.of.words),
      await proofBy(home.phone, 'approve-change', hash, { key: privateKey() }),
      await proofBy(home.phone, 'approve-change', hash, foreign.of.words),
      // A passkey makes assertions; its bare signature is not one, nor is one for another site.
      await proofBy(home.phone, 'approve-change', hash, { key: home.of.passkey.key }),
      await proofBy(home.phone, 'approve-change', hash, { key: home.of.passkey.key, rpId: 'elsewhere.example' }),
    ]
    for (const headers of wrong) expect(typeOf(await approval(headers))).toBe('step-up-required')
    const good = await proofBy(home.phone, 'approve-change', hash, home.of.passkey)
    expect((await approval(good)).status).toBe(200)
    expect(typeOf(await approval(good))).toBe('not-found')
  })

  it('by words that have ended counts for nothing', async () => {
    const { list } = home.account
    await list.revoke(list.root, home.of.words.number)
    expect((await home.account.append(6)).status).toBe(200)
    await revokeLaptop()
    expect(typeOf(await decide('approve', home.phone, home.of.words))).toBe('step-up-required')
    expect(typeOf(await decide('refuse', home.phone, home.of.words))).toBe('step-up-required')
  })

  it('by words gives a device no more than what they decide', async () => {
    const { device: kiosk } = await home.account.addDevice('kiosk', { rights: 0 })
    // As a device of the time before the list: only a proof keeps it from being revoked.
    await server.pool.query(
      'UPDATE device_certificate SET ended = 0, ended_at = now() WHERE device_id = (SELECT id FROM device WHERE client_uri = $1)',
      [home.laptop.client],
    )
    const headers = await proofBy(kiosk, 'revoke-device', Buffer.from(home.laptop.client), home.of.words)
    expect(typeOf(await call(kiosk, 'DELETE', '/v1/devices/laptop', headers))).toBe('step-up-required')
  })
})

describe('the right to decide', () => {
  it('is not of a device that has none to revoke, but such a one may refuse', async () => {
    const { device: kiosk } = await home.account.addDevice('kiosk', { rights: 0 })
    await age(server.pool, home.account)
    expect((await revoke(home, { device: home.laptop, holder: home.of.laptop }, [home.of.words])).status).toBe(202)
    expect((await decide('approve', kiosk, { key: kiosk.key.privateKey })).status).toBe(403)
    expect((await decide('refuse', kiosk, { key: kiosk.key.privateKey })).status).toBe(204)
  })

  it('is of another device in charge for the end of a key, and of the signer to take it back', async () => {
    expect((await revoke(home, { device: home.laptop, holder: home.of.laptop }, [home.of.words])).status).toBe(202)
    expect(typeOf(await decide('approve', home.laptop, home.of.laptop))).toBe('forbidden')
    expect((await decide('refuse', home.laptop, home.of.laptop)).status).toBe(204)
    expect((await revoke(home, { device: home.laptop, holder: home.of.laptop }, [home.of.words])).status).toBe(202)
    expect((await decide('approve', home.phone, home.of.phone)).status).toBe(200)
  })
})

describe('an account that ends or is disabled', () => {
  const waiting = async () => (await server.pool.query('SELECT FROM pending_list_change')).rowCount

  it('takes the change with it', async () => {
    await server.pool.query('DELETE FROM pending_list_change')
    await revokeLaptop()
    expect(await waiting()).toBe(1)
    await disableAccount(server.pool, home.phone.user)
    expect(await waiting()).toBe(0)
    home = await household(server)
    await revokeLaptop()
    const headers = await proofBy(home.phone, 'delete-account', Buffer.from(home.phone.user), home.of.words)
    expect((await call(home.phone, 'DELETE', '/v1/me', headers)).status).toBe(200)
    expect(await waiting()).toBe(0)
    await letTimePass(server.pool)
    await runJob(server)
  })

  it('ends by the words also from a device without rights, but not by new words', async () => {
    const { device: kiosk } = await home.account.addDevice('kiosk', { rights: 0 })
    const fresh = await home.account.list.certify(home.of.phone, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    expect((await home.account.append(home.account.list.number)).status).toBe(200)
    const by = async (key: Holder) => call(kiosk, 'DELETE', '/v1/me', await proofBy(kiosk, 'delete-account', Buffer.from(kiosk.user), key))
    expect(typeOf(await by({ number: 0, key: kiosk.key.privateKey }))).toBe('forbidden')
    expect(typeOf(await by(fresh))).toBe('step-up-required')
    expect((await by(home.of.words)).status).toBe(200)
  })
})

describe('an older device that ends who has signed what waits', () => {
  /** The laptop has enrolled a tablet, and its end of the phone waits. */
  async function laptopStrikes(enrolled: 'long ago' | 'just now'): Promise<Holder> {
    const { account, laptop, of } = home
    const tablet = new TestDevice(laptop.http, laptop.name, 'tablet')
    const holder = await account.list.certify(of.laptop, tablet.client, tablet.key.privateKey)
    const device_list = await account.update(holder.number, await account.list.head(of.laptop))
    expect((await laptop.call('POST', '/v1/devices', { ...(await tablet.proofs()), device_list })).status).toBe(201)
    if (enrolled === 'long ago') await age(server.pool, account)
    expect((await revoke(home, { device: laptop, holder: of.laptop }, [of.phone])).status).toBe(202)
    return holder
  }
  const phoneEnds = (...targets: readonly (Holder & { since?: number })[]) =>
    revoke(home, { device: home.phone, holder: home.of.phone }, targets)

  it('does not end what that one has enrolled long ago with it: that counts, and is not what waits', async () => {
    const tablet = await laptopStrikes('long ago')
    expect(typeOf(await phoneEnds({ ...home.of.laptop, since: tablet.number }))).toBe('change-pending')
    expect(typeOf(await phoneEnds(home.of.laptop, tablet))).toBe('change-pending')
    expect(await home.laptop.standing()).toBe('accepted')
    expect((await phoneEnds(home.of.laptop)).status).toBe(200)
    expect(await home.laptop.standing()).toBe('device-revoked')
  })

  it('ends what it has enrolled just now with it', async () => {
    const tablet = await laptopStrikes('just now')
    expect((await phoneEnds({ ...home.of.laptop, since: tablet.number })).status).toBe(200)
    const { list } = await home.account.seen()
    expect(activeCertificates(list).map(({ number }) => number)).toEqual([2, 4, 5])
  })
})
