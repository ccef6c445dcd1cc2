import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CHALLENGE_PURPOSES, labelOf, type ChallengePurpose } from '../../src/authentication/challenges/challenge-purpose.js'
import { toBase64url } from '../../src/platform/http/bytes.js'
import {
  clientOf,
  Http,
  newKey,
  newName,
  prove,
  provenKey,
  TestDevice,
  typeOf,
  UNLIMITED,
  type Answer,
} from '../authentication/device-fixture.js'
import { startServer, type TestServer } from '../support/server.js'

let server: TestServer
let http: Http
beforeAll(async () => {
  server = await startServer(UNLIMITED)
  http = new Http(server.url)
})
afterAll(() => server.close())

describe('a proof of possession', () => {
  const login = async (device: TestDevice, purpose: ChallengePurpose | undefined, label?: string) => {
    const challenge = await http.challenge(device.client, purpose)
    const proof = await prove(device.key, device.client, challenge, {}, label ?? challenge.label)
    const body = { client: device.client, nonce: challenge.nonce, public_key: toBase64url(device.key.publicKey), proof }
    return typeOf(await http.call('POST', '/v1/auth/sessions', { body }))
  }

  it('for anything but a login opens no session, under its own label or that of a login', async () => {
    const device = await TestDevice.registered(server.url)
    for (const purpose of CHALLENGE_PURPOSES.filter((one) => one !== 'login')) {
      expect([purpose, await login(device, purpose)]).toEqual([purpose, 'login-refused'])
      expect([purpose, await login(device, purpose, labelOf('login'))]).toEqual([purpose, 'login-refused'])
    }
  })

  it('of a client of the release before, which names no purpose, logs in and registers, and does nothing else', async () => {
    const device = await TestDevice.registered(server.url)
    expect(await login(device, undefined)).toBe('no problem but 201')
    const unnamed = async (client: string, key = newKey()) => {
      const challenge = await http.challenge(client)
      expect(challenge.label).toBe('MicroChat Device Login')
      return { client, nonce: challenge.nonce, signature_keys: [await provenKey(key, client, challenge)] }
    }
    const newcomer = newName()
    const registration = { user: `mimi://localhost/u/${newcomer}`, ...(await unnamed(clientOf(newcomer))) }
    expect((await http.call('POST', '/v1/accounts', { body: registration })).status).toBe(201)
    expect(typeOf(await device.call('POST', '/v1/devices', await unnamed(clientOf(device.name, 'tablet'))))).toBe('proof-refused')
    const { nonce, signature_keys } = await unnamed(device.client)
    expect(typeOf(await device.call('POST', '/v1/devices/self/keys', { nonce, ...signature_keys[0] }))).toBe('proof-refused')
  })

  it('for one of a registration, a device and a key is none for the others', async () => {
    const device = await TestDevice.registered(server.url)
    const tries: [ChallengePurpose, (purpose: 'registration' | 'new-device' | 'new-key') => Promise<Answer>][] = [
      [
        'registration',
        async (purpose) => {
          const newcomer = new TestDevice(http, newName())
          return http.call('POST', '/v1/accounts', { body: { user: newcomer.user, ...(await newcomer.proofs(purpose)) } })
        },
      ],
      [
        'new-device',
        async (purpose) => device.call('POST', '/v1/devices', await new TestDevice(http, device.name, newName()).proofs(purpose)),
      ],
      [
        'new-key',
        async (purpose) => {
          const { nonce, signature_keys } = await new TestDevice(http, device.name, 'phone', [newKey()]).proofs(purpose)
          return device.call('POST', '/v1/devices/self/keys', { nonce, ...signature_keys[0] })
        },
      ],
    ]
    for (const [needed, attempt] of tries) {
      for (const purpose of ['registration', 'new-device', 'new-key'] as const) {
        const answer = await attempt(purpose)
        expect([needed, purpose, typeOf(answer)]).toEqual([needed, purpose, purpose === needed ? 'no problem but 201' : 'proof-refused'])
      }
    }
  })
})

describe('a challenge', () => {
  it('says under which label to sign, one for each purpose', async () => {
    const labels = await Promise.all(CHALLENGE_PURPOSES.map(async (purpose) => (await http.challenge(clientOf(newName()), purpose)).label))
    expect(new Set(labels).size).toBe(CHALLENGE_PURPOSES.length)
    expect(labels).toEqual(CHALLENGE_PURPOSES.map(labelOf))
  })

  it('for a purpose that nobody knows is a bad request', async () => {
    const answer = await http.call('POST', '/v1/auth/challenges', { body: { client: clientOf(newName()), purpose: 'take-over' } })
    expect([answer.status, typeOf(answer)]).toEqual([400, 'invalid-request'])
  })
})
