import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startServer, type TestServer } from '../support/server.js'
import { HttpDevice, problemOf } from './http-device-fixture.js'

let server: TestServer

beforeAll(async () => {
  server = await startServer({
    LOGINS_PER_MINUTE: '10000',
    CLAIMS_PER_MINUTE: '5',
    CLAIMS_PER_PAIR_PER_MINUTE: '3',
    CLAIMS_PER_TARGET_PER_MINUTE: '7',
  })
})
afterAll(() => server.close())

const register = () => HttpDevice.register(server.url)

/** How many of `attempts` claims are answered. */
async function claims(claimer: HttpDevice, targets: HttpDevice[]): Promise<number> {
  const outcomes = await Promise.all(
    targets.map((target) =>
      claimer.claim(target.user).then(
        () => 1,
        () => 0,
      ),
    ),
  )
  return outcomes.reduce((sum: number, one) => sum + one, 0)
}

test('one user may not drain another, and learns when to come back', async () => {
  const [alice, bob] = [await register(), await register()]
  expect(await claims(alice, [bob, bob, bob, bob])).toBe(3)
  const response = await fetch(`${server.url}/v1/key-packages/claims`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${alice.http.accessToken}` },
    body: JSON.stringify({ user: bob.user, cipher_suites: [1] }),
  })
  expect(response.status).toBe(429)
  expect(response.headers.get('content-type')).toContain('application/problem+json')
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(Number(response.headers.get('retry-after'))).toBeLessThanOrEqual(60)
})

test('another device of the same user has no allowance of its own', async () => {
  const [alice, bob] = [await register(), await register()]
  const tablet = await HttpDevice.register(server.url, { sibling: alice })
  expect(await claims(alice, [bob, bob])).toBe(2)
  expect(await claims(tablet, [bob, bob])).toBe(1)
})

test('one user may not drain many others either', async () => {
  const alice = await register()
  expect(await claims(alice, await Promise.all(Array.from({ length: 8 }, register)))).toBe(5)
})

test('many users may not drain one, and the one who is over the own limit takes nothing of what the others have', async () => {
  const bob = await register()
  const others = await Promise.all(Array.from({ length: 4 }, register))
  expect(await claims(others[0]!, Array<HttpDevice>(10).fill(bob))).toBe(3)
  expect(await claims(others[1]!, [bob, bob])).toBe(2)
  expect(await claims(others[2]!, [bob, bob])).toBe(2)
  expect(await problemOf(others[3]!.claim(bob.user))).toMatchObject({ status: 429, kind: 'rate-limited' })
})
