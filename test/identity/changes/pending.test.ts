import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { toBase64url } from '../../../src/platform/http/bytes.js'
import { TestDevice, typeOf, UNLIMITED } from '../../authentication/device-fixture.js'
import { privateKey } from '../../support/mls/device-lists.js'
import { startServer, type TestServer } from '../../support/server.js'
import { refusalOf } from '../listed-account.js'
import { age, decide, household, inboxOf, letTimePass, revoke, runJob, type Household } from './changes-fixture.js'

let server: TestServer
let home: Household
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=10000', ACCESS_TOKEN_TTL: '15m' })
})
afterAll(() => server.close())

const laptop = ({ laptop: device, of }: Household) => ({ device, holder: of.laptop })
const phone = ({ phone: device, of }: Household) => ({ device, holder: of.phone })
const numberOfList = async () => (await home.account.seen(home.phone)).number

describe('a stolen device', () => {
  beforeAll(async () => {
    home = await household(server)
  })

  it('does not end the words, the passkey or the other device at once, alone or together', async () => {
    const { words, passkey, phone: other } = home.of
    for (const targets of [[words], [passkey], [other], [other, words]]) {
      const answer = await revoke(home, laptop(home), targets)
      expect(answer).toMatchObject({ status: 202, body: { number: 5 + targets.length, effective_at: expect.any(Number) } })
      expect(Math.abs(Number((answer.body as { effective_at?: number }).effective_at) - Date.now() / 1000 - 86_400)).toBeLessThan(300)
      expect(await numberOfList()).toBe(5)
      expect((await decide('refuse', home.phone, home.of.phone)).status).toBe(204)
    }
    // A change that was refused is no more, whatever time passes.
    await letTimePass(server.pool)
    await runJob(server)
    expect(await numberOfList()).toBe(5)
    expect(await home.phone.standing()).toBe('accepted')
  })

  it('tells the others at once, those that it would revoke too, and how it went', async () => {
    expect(await inboxOf(home.phone)).toEqual(Array(4).fill('device-list.pending'))
    expect(await inboxOf(home.laptop)).toEqual([
      'device-list.dropped 6',
      'device-list.dropped 6',
      'device-list.dropped 6',
      'device-list.dropped 7',
    ])
  })

  it('does not do it by another device that it has enrolled for that', async () => {
    const puppet = new TestDevice(home.phone.http, home.phone.name, 'puppet')
    const { list } = home.account
    const holder = await list.certify(home.of.laptop, puppet.client, puppet.key.privateKey)
    const body = { ...(await puppet.proofs()), device_list: await home.account.update(6, await list.head(home.of.laptop)) }
    expect((await home.laptop.call('POST', '/v1/devices', body)).status).toBe(201)
    await puppet.login()
    expect((await revoke(home, { device: puppet, holder }, [home.of.phone])).status).toBe(202)
    // Neither of the two approves what the other one has signed.
    expect(typeOf(await decide('approve', home.laptop, home.of.laptop))).toBe('forbidden')
    expect(typeOf(await decide('approve', puppet, holder))).toBe('forbidden')
    expect((await decide('refuse', home.phone, home.of.phone)).status).toBe(204)
    expect((await revoke(home, laptop(home), [home.of.phone])).status).toBe(202)
    expect(typeOf(await decide('approve', puppet, holder))).toBe('forbidden')
    expect(typeOf(await decide('approve', home.laptop, home.of.laptop))).toBe('forbidden')
    expect((await decide('refuse', home.phone, home.of.phone)).status).toBe(204)
    // What is young protects nobody: it ends at once.
    expect((await revoke(home, phone(home), [holder])).status).toBe(200)
  })

  it('has no say by words that it has certified just now', async () => {
    const { list } = home.account
    const before = list.number
    const own = await list.certify(home.of.laptop, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    const body = await home.account.update(before + 1, await list.head(home.of.laptop))
    expect((await home.laptop.call('POST', '/v1/device-list', body)).status).toBe(200)
    expect((await revoke(home, laptop(home), [home.of.phone])).status).toBe(202)
    expect(typeOf(await decide('approve', home.laptop, own))).toBe('step-up-required')
    expect((await decide('refuse', home.phone, home.of.phone)).status).toBe(204)
    expect((await revoke(home, phone(home), [own])).status).toBe(200)
  })
})

describe('a stolen first device', () => {
  beforeAll(async () => {
    home = await household(server)
  })

  it('is refused by the words and by the passkey, though it has certified them; not by a device that it has enrolled', async () => {
    for (const key of [home.of.words, home.of.passkey]) {
      expect((await revoke(home, phone(home), [home.of.laptop])).status).toBe(202)
      expect(typeOf(await decide('refuse', home.laptop, home.of.laptop))).toBe('forbidden')
      expect((await decide('refuse', home.laptop, key)).status).toBe(204)
    }
    expect(await numberOfList()).toBe(5)
  })

  it('does not become younger by a renewal, nor do the others', async () => {
    const { list, holder } = home.account
    const renewed = await list.certify(holder, home.phone.client, home.phone.key.privateKey)
    expect((await home.phone.call('POST', '/v1/device-list', await home.account.update(6, await list.head(renewed)))).status).toBe(200)
    expect((await revoke(home, { device: home.phone, holder: renewed }, [home.of.laptop])).status).toBe(202)
    expect(typeOf(await decide('refuse', home.laptop, home.of.laptop))).toBe('forbidden')
    expect((await decide('refuse', home.laptop, home.of.words)).status).toBe(204)
    expect((await revoke(home, laptop(home), [renewed])).status).toBe(202)
    expect((await decide('refuse', home.phone, renewed)).status).toBe(204)
  })
})

describe('while a change waits', () => {
  beforeAll(async () => {
    home = await household(server)
    expect((await revoke(home, laptop(home), [home.of.phone, home.of.words])).status).toBe(202)
  })

  it('it is shown to the devices of the account', async () => {
    const { body } = await home.phone.call('GET', '/v1/device-list/pending')
    expect(body).toMatchObject({ number: 7, effective_at: expect.any(Number), entries: [expect.any(String), expect.any(String)] })
  })

  it('the same bytes get the same answer', async () => {
    const { list } = home.account
    const { entries, head } = (await home.phone.call('GET', '/v1/device-list/pending')).body as unknown as {
      entries: string[]
      head: string
    }
    const again = await home.laptop.call('POST', '/v1/device-list', { entries, head })
    expect(again).toMatchObject({ status: 202, body: { number: 7 } })
    expect(list.number).toBe(5)
    // Also of a device that gets no answer for longer than entries may be old.
    const late = Date.now() + 600_000
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => late)
    try {
      expect(await home.laptop.call('POST', '/v1/device-list', { entries, head })).toMatchObject({ status: 202, body: again.body })
    } finally {
      clock.mockRestore()
    }
  })

  it('other changes, devices and heads are refused', async () => {
    const { list, holder } = home.account
    const tablet = new TestDevice(home.phone.http, home.phone.name, 'tablet')
    await list.certify(holder, tablet.client, tablet.key.privateKey)
    expect(typeOf(await home.account.add(tablet))).toBe('change-pending')
    list.entries.pop()
    await list.certify(holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    const answer = await home.account.append(6)
    expect(answer).toMatchObject({ status: 409, body: { number: 7, effective_at: expect.any(Number) } })
    list.entries.pop()
    const head = toBase64url(await list.head(holder, { issuedAt: list.time + 1n }))
    expect(typeOf(await home.phone.call('PUT', '/v1/device-list/head', { head }))).toBe('change-pending')
  })

  it('an older device does not end more than who has signed it', async () => {
    expect(typeOf(await revoke(home, phone(home), [home.of.laptop, home.of.words]))).toBe('change-pending')
    expect(typeOf(await revoke(home, phone(home), [home.of.words]))).toBe('change-pending')
  })

  it('an older device ends who has signed it at once, and the change goes', async () => {
    expect((await revoke(home, phone(home), [home.of.laptop])).status).toBe(200)
    expect(await home.laptop.standing()).toBe('device-revoked')
    expect(typeOf(await home.phone.call('GET', '/v1/device-list/pending'))).toBe('not-found')
    expect(await inboxOf(home.phone)).toEqual(['device-list.pending'])
  })
})

describe('a user with the words', () => {
  it('comes back while a thief’s change waits, and the change goes', async () => {
    home = await household(server)
    expect((await revoke(home, phone(home), [home.of.laptop])).status).toBe(202)
    const found = new TestDevice(home.phone.http, home.phone.name, 'found')
    const holder = await home.account.list.certify(home.of.words, found.client, found.key.privateKey)
    const device_list = await home.account.update(6, await home.account.list.head(holder))
    expect((await found.register({ device_list })).status).toBe(201)
    expect(typeOf(await home.phone.call('GET', '/v1/device-list/pending'))).toBe('not-found')
    expect(await inboxOf(home.laptop)).toEqual([
      'device-list.pending',
      'device.added found',
      'device-list.dropped 6',
      'device-list.changed 6',
    ])
    // The laptop is there to stay, so the thief’s device is ended at once.
    expect((await revoke(home, { device: found, holder }, [home.of.phone])).status).toBe(200)
    expect(await home.phone.standing()).toBe('device-revoked')
  })
})

describe('a change that nobody refuses', () => {
  it('takes effect after the delay and not before, with all that a change does', async () => {
    home = await household(server)
    expect((await revoke(home, phone(home), [home.of.laptop, home.of.words])).status).toBe(202)
    await runJob(server)
    expect(await home.laptop.standing()).toBe('accepted')
    await letTimePass(server.pool)
    await runJob(server)
    expect(await home.laptop.standing()).toBe('device-revoked')
    expect(await numberOfList()).toBe(7)
    expect(await inboxOf(home.phone)).toEqual(['device.revoked laptop', 'device-list.changed 7'])
    // The words are of no use any more.
    await runJob(server)
    expect(await numberOfList()).toBe(7)
  })

  it('needs a head that is good when it takes effect', async () => {
    home = await household(server)
    const { list } = home.account
    await list.revoke(home.of.phone, home.of.laptop.number)
    const head = await list.head(home.of.phone, { expiresAt: list.time + 80_000n })
    expect(refusalOf(await home.phone.call('POST', '/v1/device-list', await home.account.update(6, head)))).toBe('head-validity')
    expect(await inboxOf(home.laptop)).toEqual([])
  })
})

describe('a change that does not wait', () => {
  it('leaves another device in charge, which the signer has not enrolled', async () => {
    home = await household(server)
    const { device: tablet, holder } = await home.account.addDevice('tablet')
    await age(server.pool, home.account)
    expect((await revoke(home, laptop(home), [holder])).status).toBe(200)
    expect(await tablet.standing()).toBe('device-revoked')
  })

  it('ends the signer itself, or a device that could not revoke', async () => {
    home = await household(server)
    const { holder: kiosk } = await home.account.addDevice('kiosk', { rights: 0 })
    await age(server.pool, home.account)
    expect((await revoke(home, phone(home), [kiosk])).status).toBe(200)
    // The head is by who stays.
    await home.account.list.revoke(home.of.laptop, home.of.laptop.number)
    expect((await home.account.append(home.account.list.number, home.laptop)).status).toBe(200)
    expect(await home.laptop.standing()).toBe('device-revoked')
  })
})
