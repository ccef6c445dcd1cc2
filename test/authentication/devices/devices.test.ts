import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startServer, type TestServer } from '../../support/server.js'
import { Http, newKey, TestDevice, typeOf, UNLIMITED, type Answer } from '../device-fixture.js'

let server: TestServer
let http: Http
beforeAll(async () => {
  server = await startServer({ ...UNLIMITED, MAX_DEVICES_PER_ACCOUNT: '4' })
  http = new Http(server.url)
})
afterAll(() => server.close())

const names = (answer: Answer) => answer.body.devices.map(({ client }) => client.split('/').at(-1))

describe('a device', () => {
  it('is added by another one of the account and logs in by itself', async () => {
    const phone = await TestDevice.registered(server.url)
    const laptop = new TestDevice(http, phone.name, 'laptop', [newKey(), newKey(0x0403)])
    const added = await phone.call('POST', '/v1/devices', await laptop.proofs())
    expect(added.status).toBe(201)
    expect(added.body).toEqual({
      client: laptop.client,
      since: expect.any(Number),
      current: false,
      signature_keys: expect.arrayContaining(laptop.keys.map(({ scheme }) => expect.objectContaining({ id: expect.any(Number), scheme }))),
    })
    expect((await laptop.login()).status).toBe(201)
    expect(names(await laptop.call('GET', '/v1/devices'))).toEqual(['phone', 'laptop'])
  })

  it('joins no other account', async () => {
    const [mine, other] = [await TestDevice.registered(server.url), await TestDevice.registered(server.url)]
    const answer = await mine.call('POST', '/v1/devices', await new TestDevice(http, other.name, 'spy').proofs())
    expect([answer.status, typeOf(answer)]).toEqual([403, 'forbidden'])
  })

  it.each([
    ['a name that is taken', 'phone', () => [newKey()], 409, 'name-taken'],
    ['a key that is none', 'x', () => [{ ...newKey(), publicKey: new Uint8Array(31) }], 400, 'invalid-request'],
  ])('with %s is refused', async (_case, name, keys, status, type) => {
    const phone = await TestDevice.registered(server.url)
    const answer = await phone.call('POST', '/v1/devices', await new TestDevice(http, phone.name, name, keys()).proofs())
    expect([answer.status, typeOf(answer)]).toEqual([status, type])
  })

  it('needs its own proofs, not those of who adds it', async () => {
    const phone = await TestDevice.registered(server.url)
    const { nonce, signature_keys } = await new TestDevice(http, phone.name, 'phone', [newKey()]).proofs()
    const answer = await phone.call('POST', '/v1/devices', { client: new TestDevice(http, phone.name, 'x').client, nonce, signature_keys })
    expect([answer.status, typeOf(answer)]).toEqual([403, 'proof-refused'])
  })

  it('is one too many past the limit, also when eight are added at once; revoking one makes room', async () => {
    const phone = await TestDevice.registered(server.url)
    const bodies = await Promise.all(Array.from({ length: 8 }, (_, index) => new TestDevice(http, phone.name, `d${index}`).proofs()))
    const answers = await Promise.all(bodies.map((body) => phone.call('POST', '/v1/devices', body)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 201, 201, ...Array(5).fill(409)])
    const won = names(await phone.call('GET', '/v1/devices')).find((name) => name !== 'phone')
    await phone.call('DELETE', `/v1/devices/${won}`)
    expect((await phone.call('POST', '/v1/devices', await new TestDevice(http, phone.name, 'next').proofs())).status).toBe(201)
  })
})
