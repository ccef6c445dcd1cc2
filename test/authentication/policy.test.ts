import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createAccount, createDeviceInvite, createInvite, type IssuedCode } from '../../src/authentication/accounts/administration.js'
import type { ErasedNames } from '../../src/authentication/accounts/erased-names.js'
import { disableAccount } from '../../src/authentication/accounts/accounts.repository.js'
import { startServer, type TestServer } from '../support/server.js'
import { Http, newName, TestDevice, typeOf, UNLIMITED, userOf } from './device-fixture.js'

const DAY = 86_400_000
const NAMES = { claim: () => Promise.resolve() } as unknown as ErasedNames
const codeOf = (issued: IssuedCode | undefined) => ({ invite_code: issued!.code })

describe.each(['open', 'invite', 'closed'] as const)('where registration is %s', (policy) => {
  let server: TestServer
  let http: Http
  beforeAll(async () => {
    server = await startServer({ ...UNLIMITED, REGISTRATION: policy })
    http = new Http(server.url)
  })
  afterAll(() => server.close())

  const register = (more: object = {}, name = newName()) => new TestDevice(http, name).register(more)

  it(policy === 'open' ? 'no code is needed' : 'nobody registers without a code', async () => {
    const answer = await register()
    if (policy === 'open') expect(answer.status).toBe(201)
    else expect([answer.status, typeOf(answer)]).toEqual([403, 'registration-refused'])
  })

  it('a wrong code is refused', async () => {
    expect(typeOf(await register({ invite_code: 'A'.repeat(27) }))).toBe('registration-refused')
  })

  it(policy === 'closed' ? 'an invite for anyone is refused' : 'an invite is good as often as it says', async () => {
    const code = codeOf(await createInvite(server.pool, 2, DAY))
    const statuses = [(await register(code)).status, (await register(code)).status, (await register(code)).status]
    expect(statuses).toEqual(policy === 'closed' ? [403, 403, 403] : [201, 201, 403])
  })

  it('the code of an account that the operator made opens this one, once', async () => {
    const name = newName()
    const code = codeOf(await createAccount(server.pool, NAMES, userOf(name), DAY))
    expect(typeOf(await register(code, newName()))).toBe('registration-refused')
    const device = new TestDevice(http, name)
    expect((await device.register(code)).status).toBe(201)
    expect(await device.standing()).toBe('accepted')
    expect(typeOf(await new TestDevice(http, name, 'tablet').register(code))).toBe('registration-refused')
  })

  it('an account whose devices are lost gets another one by a code of its own', async () => {
    const name = newName()
    await new TestDevice(http, name, 'lost').register(codeOf(await createAccount(server.pool, NAMES, userOf(name), DAY)))
    const device = new TestDevice(http, name, 'found')
    expect((await device.register(codeOf(await createDeviceInvite(server.pool, userOf(name), DAY)))).status).toBe(201)
    expect((await device.call('GET', '/v1/devices')).body.devices).toHaveLength(2)
  })

  it('an expired code is refused', async () => {
    const name = newName()
    expect(typeOf(await register(codeOf(await createAccount(server.pool, NAMES, userOf(name), -1)), name))).toBe('registration-refused')
  })

  it('the code of a disabled account is refused', async () => {
    const name = newName()
    const code = codeOf(await createAccount(server.pool, NAMES, userOf(name), DAY))
    expect(await disableAccount(server.pool, userOf(name))).toBe(true)
    expect(typeOf(await register(code, name))).toBe('registration-refused')
    expect(await createDeviceInvite(server.pool, userOf(name), DAY)).toBeUndefined()
  })

  it('the operator makes no account twice', async () => {
    const name = newName()
    await createAccount(server.pool, NAMES, userOf(name), DAY)
    expect(await createAccount(server.pool, NAMES, userOf(name), DAY)).toBeUndefined()
  })

  if (policy === 'closed') return

  it('a code is not spent on a name that is taken', async () => {
    const code = codeOf(await createInvite(server.pool, 2, DAY))
    const name = newName()
    expect((await register(code, name)).status).toBe(201)
    expect((await new TestDevice(http, name, 'tablet').register(code)).status).toBe(409)
    expect((await register(code)).status).toBe(201)
  })

  it('the last use of a code, raced by eight, goes to one', async () => {
    const code = codeOf(await createInvite(server.pool, 1, DAY))
    const answers = await Promise.all(Array.from({ length: 8 }, () => register(code)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(7).fill(403)])
  })
})
