import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { toBase64url } from '../../src/platform/http/bytes.js'
import { privateKey } from '../support/mls/device-lists.js'
import { startServer, type TestServer } from '../support/server.js'
import { TestDevice, typeOf, UNLIMITED } from '../authentication/device-fixture.js'
import { ListedAccount } from './listed-account.js'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, LIMITS: 'device-list-changes=5' })
})
afterAll(() => server.close())

/** As many requests as a device may make in an hour, and more: with heads and entries that are none. */
async function useUp(device: TestDevice): Promise<void> {
  const junk = toBase64url(Buffer.of(1))
  const answers = new Set<string>()
  for (let call = 0; call < 7; call++) {
    answers.add(typeOf(await device.call('PUT', '/v1/device-list/head', { head: junk })))
    answers.add(typeOf(await device.call('POST', '/v1/device-list', { entries: [junk], head: junk })))
  }
  expect([...answers].toSorted()).toEqual(['invalid-device-list', 'rate-limited'])
}

describe('a stolen device that uses up its limits', () => {
  it('is revoked by another device', async () => {
    const account = await ListedAccount.registered(server.url)
    const { device: stolen, holder } = await account.addDevice('stolen')
    await useUp(stolen)
    await account.list.revoke(account.holder, holder.number)
    expect((await account.append(account.list.number)).status).toBe(200)
    expect(await stolen.standing()).toBe('device-revoked')
  })

  it('does not keep its user from coming back by the recovery words', async () => {
    const account = await ListedAccount.registered(server.url)
    const words = await account.list.certify(account.holder, '', privateKey(), { kind: 'recovery-key', rights: 1 })
    await account.append(3)
    await useUp(account.phone)
    const found = new TestDevice(account.phone.http, account.phone.name, 'found')
    const holder = await account.list.certify(words, found.client, found.key.privateKey)
    const answer = await found.register({ device_list: await account.update(4, await account.list.head(holder)) })
    expect(answer.status).toBe(201)
  })
})

describe('a device without the right to revoke', () => {
  it('does not end the account', async () => {
    const account = await ListedAccount.registered(server.url)
    const { device: kiosk } = await account.addDevice('kiosk', { rights: 0 })
    const headers = await kiosk.stepUp('delete-account', kiosk.user)
    const answer = await kiosk.http.call('DELETE', '/v1/me', { token: kiosk.accessToken, headers })
    expect(typeOf(answer)).toBe('forbidden')
    expect(await account.phone.standing()).not.toBe('device-revoked')
  })

  it('has nothing to say where there is no device list: every device ends the account', async () => {
    const phone = await TestDevice.registered(server.url)
    const headers = await phone.stepUp('delete-account', phone.user)
    expect((await phone.http.call('DELETE', '/v1/me', { token: phone.accessToken, headers })).status).toBe(200)
  })
})

describe('a device with an older one beside it that may revoke', () => {
  const end = async (device: TestDevice) => {
    const headers = await device.stepUp('delete-account', device.user)
    return device.http.call('DELETE', '/v1/me', { token: device.accessToken, headers })
  }

  it('does not end the account, also when the older one has a new certificate; the oldest does', async () => {
    const account = await ListedAccount.registered(server.url)
    const { device: stolen, holder } = await account.addDevice('stolen')
    const { device: third } = await account.addDevice('third')
    expect(typeOf(await end(stolen))).toBe('forbidden')
    expect(typeOf(await end(third))).toBe('forbidden')
    await account.list.certify(account.holder, account.phone.client, account.phone.key.privateKey)
    Object.assign(account, { holder: { ...account.holder, number: account.list.number } })
    expect((await account.append(5)).status).toBe(200)
    expect(holder.number).toBeLessThan(account.list.number)
    expect(typeOf(await end(stolen))).toBe('forbidden')
    expect(await account.phone.standing()).toBe('accepted')
    expect((await end(account.phone)).status).toBe(200)
  })

  it('ends it once that one has left, or where that one may not revoke', async () => {
    const account = await ListedAccount.registered(server.url)
    const { device: kiosk } = await account.addDevice('kiosk', { rights: 4 })
    const { device: laptop, holder } = await account.addDevice('laptop')
    expect(typeOf(await end(laptop))).toBe('forbidden')
    await account.list.revoke(account.holder, account.holder.number)
    const update = await account.update(account.list.number, await account.list.head(holder))
    expect((await account.phone.call('POST', '/v1/device-list', update)).status).toBe(200)
    expect(typeOf(await end(kiosk))).toBe('forbidden')
    expect((await end(laptop)).status).toBe(200)
  })
})
