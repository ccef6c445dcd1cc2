import { createPrivateKey } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { genericBatched, publicVerif, TokenChallenge } from '@cloudflare/privacypass-ts'
import type { Client } from '../../examples/client/client.js'
import { Http } from '../../examples/client/http.js'
import type { IssuerDirectory } from '../../examples/client/sealed/tokens.js'
import { IssuerKeyRotation } from '../../src/tokens/keys/issuer-key-rotation.js'
import { countTokens } from '../../src/tokens/issue/quotas.repository.js'
import { readTokenKey, tokenKeyOf } from '../../src/protocol/privacy-pass/issuer-key.js'
import { cli } from '../support/cli.js'
import { createTestDatabase } from '../support/database.js'
import { startServer, testEnvironment, type TestServer } from '../support/server.js'
import { GENEROUS, problemOf, World } from '../support/world.js'
import { SMALL_BATCHES } from './sealed-sender-fixture.js'
import { postOf, sealedGroup, send, useSealedServer } from './sealed-server-fixture.js'

const fixture = useSealedServer({ TOKENS_PER_ACCOUNT: '12' })
const BATCH = 'application/private-token-generic-batch-request'
const ONE = 'application/private-token-request'

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function directoryOf(server: TestServer): Promise<IssuerDirectory> {
  return (await (await fetch(`${server.url}/.well-known/private-token-issuer-directory`)).json()) as IssuerDirectory
}
const keyIn = (directory: IssuerDirectory, index = 0) =>
  new Uint8Array(Buffer.from(directory['token-keys'][index]?.['token-key'] ?? '', 'base64url'))

async function requestsOf(count: number, tokenKey: Uint8Array): Promise<{ body: Uint8Array; clients: publicVerif.Client[] }> {
  const challenge = new TokenChallenge(2, 'localhost', new Uint8Array(), ['localhost'])
  const clients = Array.from({ length: count }, () => new publicVerif.Client(publicVerif.BlindRSAMode.PSS))
  const requests = []
  for (const client of clients) requests.push(new genericBatched.TokenRequest(await client.createTokenRequest(challenge, tokenKey)))
  return { body: new genericBatched.BatchedTokenRequest(requests).serialize(), clients }
}
const ask = (client: Client, body: Uint8Array, type = BATCH) => client.device.http.postBytes('/v1/tokens', type, body)
const kindOf = async (request: Promise<unknown>) => (await problemOf(request)).kind

describe('the issuer directory', () => {
  it('has the same keys for everyone, with the time from which they are to be used', async () => {
    const answer = await fetch(`${fixture.server.url}/.well-known/private-token-issuer-directory`)
    expect(answer.headers.get('cache-control')).toBe('public, max-age=300')
    expect(answer.headers.get('content-type')).toBe('application/private-token-issuer-directory')
    const directory = (await answer.json()) as IssuerDirectory
    expect(directory).toMatchObject({ 'issuer-request-uri': '/v1/tokens', 'batch-size': 4 })
    expect(directory['token-keys']).toHaveLength(1)
    expect(directory['token-keys'][0]?.['not-before']).toBeLessThanOrEqual(Date.now() / 1000)
    const [alice, bob] = await fixture.world.cast('alice', 'bob')
    for (const { device } of [alice, bob]) expect(await device.http.get('/v1/tokens/issuer')).toEqual(directory)
    expect(readTokenKey(keyIn(directory))?.asymmetricKeyDetails).toMatchObject({ modulusLength: 2048 })
  })
})

describe('a batch', () => {
  it('gets tokens that verify under the published key, by the library alone', async () => {
    const [alice] = await fixture.world.cast('alice')
    const tokenKey = keyIn(await directoryOf(fixture.server))
    const { body, clients } = await requestsOf(4, tokenKey)
    const { tokenResponses } = genericBatched.GenericBatchTokenResponse.deserialize(await ask(alice, body))
    expect(tokenResponses).toHaveLength(4)
    for (const [index, client] of clients.entries())
      await client.finalize(tokenResponses[index]?.tokenResponse as publicVerif.TokenResponse) // throws if it does not verify
  })
  it('of one, in the form of RFC 9578, does, too', async () => {
    const [alice] = await fixture.world.cast('alice')
    const client = new publicVerif.Client(publicVerif.BlindRSAMode.PSS)
    const challenge = new TokenChallenge(2, 'localhost', new Uint8Array(), ['localhost'])
    const request = await client.createTokenRequest(challenge, keyIn(await directoryOf(fixture.server)))
    const answer = await fetch(`${fixture.server.url}/v1/tokens`, {
      method: 'POST',
      headers: { 'content-type': ONE, ...alice.device.http.credentials('POST', `${fixture.server.url}/v1/tokens`) },
      body: new Uint8Array(request.serialize()),
    })
    expect(answer.headers.get('content-type')).toBe('application/private-token-response')
    await client.finalize(client.deserializeTokenResponse(new Uint8Array(await answer.arrayBuffer())))
  })
  it('is refused without a session, of another size, of another key, or malformed', async () => {
    const [alice] = await fixture.world.cast('alice')
    const tokenKey = keyIn(await directoryOf(fixture.server))
    const { body } = await requestsOf(4, tokenKey)
    const headers = { 'content-type': BATCH }
    expect((await fetch(`${fixture.server.url}/v1/tokens`, { method: 'POST', headers, body: new Uint8Array(body) })).status).toBe(401)
    expect(await kindOf(ask(alice, (await requestsOf(3, tokenKey)).body))).toBe('batch-size')
    expect(await kindOf(ask(alice, (await requestsOf(5, tokenKey)).body))).toBe('undecodable')
    const otherKey = new Uint8Array(body)
    otherKey[2 + 2] = (otherKey[2 + 2] ?? 0) ^ 1
    expect(await kindOf(ask(alice, otherKey))).toBe('token-key-unknown')
    const tooLarge = new Uint8Array(body).fill(255, 2 + 3, 2 + 3 + 256)
    expect(await kindOf(ask(alice, tooLarge))).toBe('undecodable')
    expect(await kindOf(ask(alice, body.subarray(0, 100)))).toBe('undecodable')
    expect(await kindOf(ask(alice, new Uint8Array()))).toBe('unsupported-media-type')
    expect(await kindOf(alice.device.http.post('/v1/tokens', { tokens: 4 }))).toBe('unsupported-media-type')
  })
  it('again gets the same answer and counts once, also when it comes many times at once', async () => {
    const [alice] = await fixture.world.cast('alice')
    const tokenKey = keyIn(await directoryOf(fixture.server))
    const { body } = await requestsOf(4, tokenKey)
    const first = await ask(alice, body)
    const again = await Promise.all(Array.from({ length: 20 }, () => ask(alice, body)))
    for (const answer of again) expect(answer).toEqual(first)
    // Two more fit into a quota of twelve, and no third one.
    for (let more = 0; more < 2; more++) await ask(alice, (await requestsOf(4, tokenKey)).body)
    const problem = await problemOf(ask(alice, (await requestsOf(4, tokenKey)).body))
    expect([problem.status, problem.kind]).toEqual([429, 'token-quota'])
    expect(await ask(alice, body)).toEqual(first)
  })
  it('counts against the account’s quota, whatever its devices ask for at once', async () => {
    const [phone, laptop] = await fixture.world.cast('alice/phone', 'alice/laptop')
    const tokenKey = keyIn(await directoryOf(fixture.server))
    const bodies = await Promise.all(Array.from({ length: 8 }, () => requestsOf(4, tokenKey)))
    const outcomes = await Promise.allSettled(bodies.map((one, index) => ask(index % 2 ? phone : laptop, one.body)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
  })
})

describe('the keys of the issuer', () => {
  /** Lets `period` pass for the keys. */
  const pass = (server: TestServer, period: number) =>
    server.pool.query(
      `UPDATE issuer_key SET issues_from = issues_from - $1 * interval '1 second', issues_until = issues_until - $1 * interval '1 second',
                             redeems_until = redeems_until - $1 * interval '1 second'`,
      [period],
    )
  const PERIOD = 7 * 86_400
  const another = async (node: TestServer) => {
    // A node keeps its copy for some seconds; another one has none.
    const next = await startServer({ ...GENEROUS, ...SMALL_BATCHES }, { database: { url: node.config.DATABASE_URL ?? '' } as never })
    undo.push(() => next.close())
    return next
  }

  /** A server with a key of its own to grow old, and a group to post to. */
  async function serverOfItsOwn() {
    const database = await createTestDatabase()
    undo.push(() => database.drop())
    const first = await startServer({ ...GENEROUS, ...SMALL_BATCHES }, { database })
    undo.push(() => first.close())
    const world = new World(first.url)
    undo.push(() => world.disconnect())
    const [alice] = await world.cast('alice')
    const { group, key, purse } = await sealedGroup(world, [alice])
    return { database, first, alice, group, key, purse }
  }

  it('are sealed in the database, and one byte tells them apart', async () => {
    const { rows } = await fixture.server.pool.query<{ sealed_private: Buffer; key_id: Buffer; truncated_id: number }>(
      'SELECT * FROM issuer_key',
    )
    for (const { sealed_private: sealed, key_id: keyId, truncated_id: truncatedId } of rows) {
      expect(() => createPrivateKey({ key: sealed, format: 'der', type: 'pkcs8' })).toThrow()
      expect(keyId.at(-1)).toBe(truncatedId)
    }
    expect(rows).toHaveLength(1)
  })

  it('follow each other with an overlap: the next is published before it signs, the last one is taken after it did, and then goes', async () => {
    const { first, alice, group, key, purse } = await serverOfItsOwn()
    const [old] = (await directoryOf(first))['token-keys']

    await pass(first, 0.8 * PERIOD)
    await first.app.get(IssuerKeyRotation).run()
    const second = await another(first)
    const both = await directoryOf(second)
    expect(both['token-keys']).toHaveLength(2)
    expect(both['token-keys'][0]?.['token-key']).toBe(old?.['token-key'])
    expect(both['token-keys'][1]?.['not-before']).toBeGreaterThan(Date.now() / 1000)
    const early = await requestsOf(4, keyIn(both, 1))
    const atSecond = new Http({ baseUrl: second.url })
    const { accessToken, prover, bound } = alice.device.http
    Object.assign(atSecond, { accessToken, prover, bound })
    expect(await kindOf(atSecond.postBytes('/v1/tokens', BATCH, early.body))).toBe('token-key-unknown')

    await pass(first, 0.8 * PERIOD)
    await first.app.get(IssuerKeyRotation).run()
    const third = await another(first)
    const later = await directoryOf(third)
    expect(later['token-keys'].map((one) => one['token-key'])).not.toContain(old?.['token-key'])
    expect(later['token-keys'][0]?.['token-key']).toBe(both['token-keys'][1]?.['token-key'])
    // A token of the key before is still good.
    await send(third.url, await postOf(group, key, purse.take(), 'with an old token'))

    // And no longer than it says, even while what was spent of the key is still there.
    await pass(first, 0.45 * PERIOD)
    const late = await another(first)
    expect(await kindOf(send(late.url, await postOf(group, key, purse.take(), 'too late')))).toBe('token-required')

    await pass(first, 2 * PERIOD)
    await first.app.get(IssuerKeyRotation).run()
    const { rows } = await first.pool.query<{ partitions: bigint; keys: bigint }>(
      `SELECT (SELECT count(*) FROM pg_inherits WHERE inhparent = 'spent_token'::regclass) AS partitions, (SELECT count(*) FROM issuer_key) AS keys`,
    )
    expect(rows[0]?.partitions).toBe(rows[0]?.keys)
    expect((await first.pool.query('SELECT FROM spent_token')).rowCount).toBe(0)
    const fourth = await another(first)
    expect(await kindOf(send(fourth.url, await postOf(group, key, purse.take(), 'too old')))).toBe('token-required')
  })

  it('are all past after a restore: what was spent since the backup cannot be spent again', async () => {
    const { database, first, group, key, purse } = await serverOfItsOwn()
    expect(await cli('recovered', testEnvironment(database.url))).toMatchObject({ code: 0 })
    const second = await another(first)
    expect(await kindOf(send(second.url, await postOf(group, key, purse.take(), 'again')))).toBe('token-required')
    expect((await directoryOf(second))['token-keys']).toHaveLength(1)
  })

  it('count apart from what another issuer says of the same key, and for as long as any says', async () => {
    const keyId = new Uint8Array(32).fill(1)
    const batch = (issuer: string, request: number) => ({ issuer, keyId, holder: 'h', requestHash: Uint8Array.of(request), tokens: 4 })
    const [soon, late] = [new Date(Date.now() - 1_000), new Date(Date.now() + 86_400_000)]
    const count = async (issuer: string, request: number, until: Date) =>
      (await countTokens(fixture.server.pool, batch(issuer, request), 4, until)).outcome
    expect(await count('a.example', 1, late)).toBe('counted')
    expect(await count('a.example', 1, late)).toBe('repeated')
    expect(await count('a.example', 2, soon)).toBe('exceeded')
    expect(await count('evil.example', 2, soon)).toBe('counted')
    await fixture.server.app.get(IssuerKeyRotation).run()
    expect(await count('a.example', 3, soon)).toBe('exceeded')
    expect(await count('evil.example', 3, late)).toBe('counted')
  })

  it('are made once, however many nodes need the first one', async () => {
    const database = await createTestDatabase()
    undo.push(() => database.drop())
    const nodes = await Promise.all([0, 1, 2].map(() => startServer({ ...GENEROUS, ...SMALL_BATCHES }, { database })))
    undo.push(() => Promise.all(nodes.map((node) => node.close())))
    const directories = await Promise.all(nodes.flatMap((node) => [directoryOf(node), directoryOf(node)]))
    for (const directory of directories) expect(directory).toEqual(directories[0])
    const { truncatedId } = tokenKeyOf(readTokenKey(keyIn(directories[0]!))!)
    const { rows } = await database.pool.query<{ truncated: number }>('SELECT truncated_id AS truncated FROM issuer_key')
    expect(rows).toEqual([{ truncated: truncatedId }])
  })
})
