import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { ChallengePurpose } from '../../src/authentication/challenges/challenge-purpose.js'
import { CHALLENGE_PURPOSES, labelOf } from '../../src/authentication/challenges/challenge-purpose.js'
import { fromBase64url } from '../../src/platform/http/bytes.js'
import type { StepUpPurpose } from '../../src/protocol/identity/step-up.js'
import { startServer, type TestServer } from '../support/server.js'
import { uncommittedChange } from '../authentication/account-lock.js'
import { clientOf, Http, newKey, newName, prove, TestDevice, typeOf, UNLIMITED, type Answer } from '../authentication/device-fixture.js'

import { stepUpField, subjectOf } from '../authentication/step-up-fixture.js'

let server: TestServer
let http: Http
beforeAll(async () => {
  server = await startServer(UNLIMITED)
  http = new Http(server.url)
})
afterAll(() => server.close())

/** An account with two devices, and a key that the phone has besides its first. */
async function victim() {
  const phone = await TestDevice.registered(server.url)
  const laptop = await phone.addDevice('laptop')
  const second = newKey()
  const { nonce, signature_keys } = await new TestDevice(http, phone.name, 'phone', [second]).proofs('new-key')
  const { body } = await phone.call('POST', '/v1/devices/self/keys', { nonce, ...signature_keys[0] })
  return { phone, laptop, second, keyId: body.id }
}
type Victim = Awaited<ReturnType<typeof victim>>

interface Operation {
  readonly purpose: StepUpPurpose
  readonly request: (of: Victim) => Promise<{ method: string; path: string; body?: unknown }>
  readonly subject: (of: Victim, body: unknown) => Uint8Array
}

const OPERATIONS: readonly (readonly [string, Operation])[] = [
  [
    'adding a device',
    {
      purpose: 'add-device',
      request: async ({ phone }) => ({
        method: 'POST',
        path: '/v1/devices',
        body: await new TestDevice(http, phone.name, 'ghost').proofs(),
      }),
      subject: (_of, body) => subjectOf(body as Parameters<typeof subjectOf>[0]),
    },
  ],
  [
    'revoking a device',
    {
      purpose: 'revoke-device',
      request: () => Promise.resolve({ method: 'DELETE', path: '/v1/devices/laptop' }),
      subject: ({ laptop }) => Buffer.from(laptop.client),
    },
  ],
  [
    'revoking oneself',
    {
      purpose: 'revoke-device',
      request: () => Promise.resolve({ method: 'DELETE', path: '/v1/devices/phone' }),
      subject: ({ phone }) => Buffer.from(phone.client),
    },
  ],
  [
    'adding a key',
    {
      purpose: 'add-key',
      request: async ({ phone }) => {
        const { nonce, signature_keys } = await new TestDevice(http, phone.name, 'phone', [newKey()]).proofs('new-key')
        return { method: 'POST', path: '/v1/devices/self/keys', body: { nonce, ...signature_keys[0] } }
      },
      subject: (_of, body) => fromBase64url((body as { public_key: string }).public_key)!,
    },
  ],
  [
    'retiring a key',
    {
      purpose: 'retire-key',
      request: ({ keyId }) => Promise.resolve({ method: 'DELETE', path: `/v1/devices/self/keys/${keyId}` }),
      subject: ({ second }) => second.publicKey,
    },
  ],
]

/** What the account has: devices and keys, and which of them have ended. */
async function inventory({ phone, laptop }: Victim): Promise<unknown> {
  const { rows } = await server.pool.query(
    `SELECT d.client_uri, d.revoked_at AS device, k.public_key, k.revoked_at AS key FROM device d JOIN signature_key k ON k.device_id = d.id
     WHERE d.client_uri LIKE $1 ORDER BY k.id`,
    [clientOf(phone.name, '%')],
  )
  return { rows, laptop: await laptop.standing() }
}

const outcome = (answer: Answer) => [typeOf(answer), (answer.body as { purpose?: string }).purpose]

describe.each(OPERATIONS)('%s', (_what, { purpose, request, subject }) => {
  /** Asks as the phone, with a field that is made of the subject. */
  async function ask(
    of: Victim,
    field: (bytes: Uint8Array) => Promise<string | undefined> | string | undefined,
    token = of.phone.accessToken,
  ) {
    const { method, path, body } = await request(of)
    const value = await field(subject(of, body))
    return http.call(method, path, { body, token, headers: value === undefined ? {} : { 'step-up': value } })
  }
  const fresh = (of: Victim, given: ChallengePurpose = purpose) => http.challenge(of.phone.client, given)

  it('is refused to who has stolen a bearer token, old or new', async () => {
    const of = await victim()
    const before = await inventory(of)
    const stolen = of.phone.accessToken
    const renewed = (await http.refresh(of.phone.refreshToken)).body.access_token
    for (const token of [stolen, renewed]) expect(outcome(await ask(of, () => undefined, token))).toEqual(['step-up-required', purpose])
    // Not with a key of the thief's own either.
    const thief = newKey()
    const forged = async (bytes: Uint8Array) => stepUpField(thief, of.phone.client, await fresh(of), bytes)
    expect(outcome(await ask(of, forged, renewed))).toEqual(['step-up-required', purpose])
    expect(await inventory(of)).toEqual(before)
  })

  it.each<[string, (of: Victim, bytes: Uint8Array) => Promise<string | undefined> | string]>([
    ['for another subject', async (of) => stepUpField(of.phone.key, of.phone.client, await fresh(of), Buffer.from('another'))],
    ['for no subject', async (of) => stepUpField(of.phone.key, of.phone.client, await fresh(of), new Uint8Array())],
    [
      'for another client',
      async (of, bytes) => stepUpField(of.phone.key, of.phone.client, await fresh(of), bytes, { client: of.laptop.client }),
    ],
    [
      'for another server',
      async (of, bytes) => stepUpField(of.phone.key, of.phone.client, await fresh(of), bytes, { domain: 'example.net' }),
    ],
    [
      'with another deadline',
      async (of, bytes) => stepUpField(of.phone.key, of.phone.client, await fresh(of), bytes, { expiresAt: 4_000_000_000n }),
    ],
    [
      'over the challenge of another client',
      async (of, bytes) => stepUpField(of.phone.key, of.phone.client, await http.challenge(of.laptop.client, purpose), bytes),
    ],
    ['by another device of the account', async (of, bytes) => stepUpField(of.laptop.key, of.phone.client, await fresh(of), bytes)],
    [
      'over a challenge for no purpose',
      async (of, bytes) => stepUpField(of.phone.key, of.phone.client, await http.challenge(of.phone.client), bytes, {}, labelOf(purpose)),
    ],
    [
      'over a challenge for a login',
      async (of, bytes) =>
        stepUpField(of.phone.key, of.phone.client, await http.challenge(of.phone.client, 'login'), bytes, {}, labelOf(purpose)),
    ],
    [
      'under the label of a login',
      async (of, bytes) => stepUpField(of.phone.key, of.phone.client, await fresh(of), bytes, {}, labelOf('login')),
    ],
    [
      'that is one of a login',
      async (of) => {
        const challenge = await http.challenge(of.phone.client)
        const proof = await prove(of.phone.key, of.phone.client, challenge)
        const item = (bytes: Uint8Array | undefined) => `:${Buffer.from(bytes ?? []).toString('base64')}:`
        return `nonce=${item(fromBase64url(challenge.nonce))}, key=${item(of.phone.key.publicKey)}, proof=${item(fromBase64url(proof))}`
      },
    ],
    [
      'that has run out',
      async (of, bytes) => {
        const challenge = await fresh(of)
        const { rows } = await server.pool.query<{ at: Date }>(
          `UPDATE challenge SET expires_at = date_trunc('second', now()) - interval '1 second' WHERE nonce = $1 RETURNING expires_at AS at`,
          [Buffer.from(challenge.nonce, 'base64url')],
        )
        return stepUpField(of.phone.key, of.phone.client, { ...challenge, expires_at: rows[0]!.at.getTime() / 1000 }, bytes)
      },
    ],
    [
      'by a key that was retired a moment ago',
      async (of, bytes) => {
        const field = await stepUpField(of.second, of.phone.client, await fresh(of), bytes)
        await server.pool.query('UPDATE signature_key SET revoked_at = now() WHERE public_key = $1', [of.second.publicKey])
        return field
      },
    ],
    ['that is no dictionary', () => '((('],
    ['of text instead of bytes', () => 'nonce="a", key="b", proof="c"'],
    ['that is endless', () => `nonce=:${'A'.repeat(14_000)}:`],
  ])('is refused with a proof %s', async (what, make) => {
    const of = await victim()
    const before = await inventory(of)
    const answer = await ask(of, (bytes) => make(of, bytes))
    expect(outcome(answer)).toEqual(['step-up-required', purpose])
    if (!what.includes('retired')) expect(await inventory(of)).toEqual(before)
  })

  it('is refused with a good proof over a challenge of every other purpose', async () => {
    const of = await victim()
    for (const other of CHALLENGE_PURPOSES.filter((one) => one !== purpose)) {
      const field = async (bytes: Uint8Array) => stepUpField(of.phone.key, of.phone.client, await fresh(of, other), bytes)
      expect([other, ...outcome(await ask(of, field))]).toEqual([other, 'step-up-required', purpose])
    }
  })

  it('takes a good proof once, also of two at once', async () => {
    const of = await victim()
    const { method, path, body } = await request(of)
    const headers = await of.phone.stepUp(purpose, subject(of, body))
    const once = () => http.call(method, path, { body, token: of.phone.accessToken, headers })
    const statuses = (await Promise.all([once(), once()])).map(({ status }) => status)
    expect(statuses.filter((status) => status < 300)).toHaveLength(1)
    expect((await once()).status).toBeGreaterThanOrEqual(400)
  })

  it('waits for a retirement of the key that is not committed yet, and is refused then', async () => {
    const of = await victim()
    const { commitBeneath } = await uncommittedChange(
      server.pool,
      of.phone.user,
      'UPDATE signature_key SET revoked_at = now() WHERE public_key = $1',
      [of.second.publicKey],
    )
    const asked = ask(of, async (bytes) => stepUpField(of.second, of.phone.client, await fresh(of), bytes))
    expect(outcome(await commitBeneath(asked))).toEqual(['step-up-required', purpose])
  })
})

describe('a key of every scheme', () => {
  it.each([0x0403, 0x0503, 0x0603, 0x0807, 0x0808])('%i proves', async (scheme) => {
    const phone = await TestDevice.registered(server.url, newName(), newKey(scheme))
    await phone.addDevice('laptop')
    expect((await phone.call('DELETE', '/v1/devices/laptop')).status).toBe(204)
  })
})
