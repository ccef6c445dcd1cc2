import { beforeAll, describe, expect, it } from '@jest/globals'
import { generateKeyPairSync, sign } from 'node:crypto'
import { BoundDevice, Holder, secondsNow, useBoundServer, type Change } from './possession-fixture.js'

const fixture = useBoundServer()
let alice: BoundDevice
beforeAll(async () => {
  alice = await BoundDevice.registered(fixture.server.url)
})

describe('a proof that is right', () => {
  it.each(['ed25519', 'P-256'] as const)('of %s is accepted, each time a new one', async (type) => {
    const device = await BoundDevice.registered(fixture.server.url, new Holder(type))
    expect([await device.ask(), await device.ask()]).toEqual(['accepted', 'accepted'])
    expect((await device.refresh()).body).toMatchObject({ token_type: 'DPoP' })
    expect(await device.ask()).toBe('accepted')
    expect((await device.login()).status).toBe(201)
    expect(await device.ask()).toBe('accepted')
  })

  it.each<[string, () => Change]>([
    ['under the other name of its algorithm', () => ({ head: { alg: 'Ed25519' } })],
    ['of half a minute ago', () => ({ claims: { iat: secondsNow() - 30 } })],
    ['some seconds ahead', () => ({ claims: { iat: secondsNow() + 5 } })],
    ['with more in it than is asked for', () => ({ claims: { exp: secondsNow() + 60, nonce: 'x' } })],
  ])('%s is accepted', async (_what, change) => {
    expect(await alice.ask(alice.proof(change()))).toBe('accepted')
  })

  it('may name the query, a fragment, and the server by its address or by localhost', async () => {
    const htu = `${fixture.server.url}/v1/devices`
    const named = (host: string) => htu.replace(/127\.0\.0\.1|localhost|\[::1\]/, host)
    for (const claims of [{ htu: `${htu}?x=1#y` }, { htu: named('localhost') }, { htu: named('LOCALHOST') }])
      expect([claims, await alice.ask(alice.proof({ claims }))]).toEqual([claims, 'accepted'])
  })
})

describe('a proof is refused', () => {
  const other = new Holder()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const rsaHead = { alg: 'RS256', jwk: rsa.publicKey.export({ format: 'jwk' }) }
  const secret = () => alice.holder.privateKey.export({ format: 'jwk' })

  it.each<[string, string, () => string]>([
    ['for another method', 'request', () => alice.proof({ claims: { htm: 'POST' } })],
    ['for another path', 'request', () => alice.proof({}, { path: '/v1/key-packages' })],
    ['for another host', 'request', () => alice.proof({}, { url: 'https://evil.example' })],
    ['for another port', 'request', () => alice.proof({}, { url: 'http://127.0.0.1:1' })],
    ['for a path that only leads here', 'request', () => alice.proof({}, { path: '/v1/groups/x/%2e%2e/%2E%2E/devices' })],
    ['for a path with dots', 'request', () => alice.proof({}, { path: '/v1/me/../devices' })],
    ['for a path with a character that is left out', 'request', () => alice.proof({}, { path: '/v1/dev\tices' })],
    ['for a path behind a backslash', 'request', () => alice.proof({ claims: { htu: `${alice.url}\\v1\\devices` } })],
    ['for an address that is none', 'request', () => alice.proof({ claims: { htu: '/v1/devices' } })],
    ['for another token', 'token', () => alice.proof({}, { token: `${alice.accessToken}x` })],
    ['for no token', 'token', () => alice.proof({ claims: { ath: undefined } })],
    ['of another key', 'key', () => other.proof('GET', `${alice.url}/v1/devices`, alice.accessToken)],
    ['of another key under our name', 'signature', () => alice.proof({ sign: (signed) => other.signature(signed) })],
    ['of alg none', 'malformed', () => alice.proof({ head: { alg: 'none' }, sign: () => '' })],
    ['of alg none with a signature', 'signature', () => alice.proof({ head: { alg: 'none' } })],
    [
      'of HS256 under the public key',
      'signature',
      () => alice.proof({ head: { alg: 'HS256' }, sign: (signed) => alice.holder.hmac(signed) }),
    ],
    ['of a secret that it brings along', 'signature', () => alice.proof({ head: { alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } } })],
    [
      'of RS256',
      'signature',
      () => alice.proof({ head: rsaHead, sign: (signed) => sign('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url') }),
    ],
    ['with the private key in it', 'signature', () => alice.proof({ head: { jwk: secret() } })],
    ['without a key', 'signature', () => alice.proof({ head: { jwk: undefined } })],
    ['with a key that is none', 'signature', () => alice.proof({ head: { jwk: { kty: 'OKP', crv: 'Ed25519', x: 7 } } })],
    [
      'with a point that is on no curve',
      'signature',
      () => alice.proof({ head: { alg: 'ES256', jwk: { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) } } }),
    ],
    ['of another type', 'signature', () => alice.proof({ head: { typ: 'JWT' } })],
    ['without a type', 'signature', () => alice.proof({ head: { typ: undefined } })],
    ['with what must be understood', 'signature', () => alice.proof({ head: { crit: ['x'], x: 1 } })],
    ['that has ended', 'signature', () => alice.proof({ claims: { exp: secondsNow() - 5 } })],
    ['without a name', 'malformed', () => alice.proof({ claims: { jti: undefined } })],
    ['with a name that others could have', 'malformed', () => alice.proof({ claims: { jti: '1' } })],
    ['with a huge name', 'malformed', () => alice.proof({ claims: { jti: 'x'.repeat(129) } })],
    ['without a time', 'malformed', () => alice.proof({ claims: { iat: undefined } })],
    ['with a time in words', 'signature', () => alice.proof({ claims: { iat: 'now' } })],
    ['that is huge', 'malformed', () => alice.proof({ claims: { padding: 'x'.repeat(3_000) } })],
    ['that is no JWT', 'malformed', () => 'a.b'],
    ['that is two', 'malformed', () => `${alice.proof()}, ${alice.proof()}`],
    ['that is empty', 'malformed', () => ''],
  ])('%s', async (_what, reason, make) => {
    expect(await alice.ask(make())).toBe(`dpop-refused: ${reason}`)
  })

  it.each([
    ['old', -61],
    ['of the future', 25],
  ])('that is %s, and says what time it is', async (_what, seconds) => {
    const proof = alice.proof({ claims: { iat: secondsNow() + seconds } })
    const answer = await fetch(`${alice.url}/v1/devices`, { headers: { authorization: `DPoP ${alice.accessToken}`, dpop: proof } })
    const problem = (await answer.json()) as Record<string, unknown>
    expect(problem).toMatchObject({ status: 401, type: 'urn:microchat:problem:dpop-stale' })
    expect(Math.abs(Number(problem['server_time']) - secondsNow())).toBeLessThan(10)
    expect(answer.headers.get('www-authenticate')).toMatch(/^DPoP algs="ES256 EdDSA Ed25519", error="invalid_dpop_proof"$/)
  })

  it('that was used before, also of two that come at once', async () => {
    const proof = alice.proof()
    expect([await alice.ask(proof), await alice.ask(proof)]).toEqual(['accepted', 'dpop-refused: replayed'])
    const again = alice.proof()
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => alice.ask(again)))
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1)
  })

  it('without being used up: what fails does not count as a use', async () => {
    const claims = { jti: `name-of-${alice.name}` }
    expect(await alice.ask(alice.proof({ claims: { ...claims, htm: 'PUT' } }))).toBe('dpop-refused: request')
    expect(await alice.ask(other.proof('GET', `${alice.url}/v1/devices`, alice.accessToken, { claims }))).toBe('dpop-refused: key')
    expect(await alice.ask(alice.proof({ claims }))).toBe('accepted')
  })
})
