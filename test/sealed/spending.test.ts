import { afterEach, expect, it } from '@jest/globals'
import type { Token } from '@cloudflare/privacypass-ts'
import { ServerProblem } from '../../examples/client/http.js'
import { sealedRequest, type SealedRequest } from '../../examples/client/sealed/sealed-post.js'
import { publishSenderKey, senderKey } from '../../examples/client/sealed/sender-key.js'
import { sha256 } from '../../examples/client/wire.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { spawnServer, startServer, type SpawnedServer } from '../support/server.js'
import { agreed, GENEROUS, World } from '../support/world.js'
import { purseOf, SMALL_BATCHES } from './sealed-sender-fixture.js'
import { messageOf, send } from './sealed-server-fixture.js'

const SETTINGS = { ...GENEROUS, ...SMALL_BATCHES, TOKENS_PER_BATCH: '12' }

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})
async function database(): Promise<TestDatabase> {
  const made = await createTestDatabase()
  undo.push(() => made.drop())
  return made
}

/** What becomes of it: `accepted`, or the kind of the refusal; undefined if nobody answered. */
async function outcomeOf(url: string, request: SealedRequest): Promise<string | undefined> {
  try {
    await send(url, request)
    return 'accepted'
  } catch (error) {
    return error instanceof ServerProblem ? error.kind : undefined
  }
}

it('[I7] two nodes that race for one token: one message is accepted, whichever group it is for', async () => {
  const shared = await database()
  const nodes = await Promise.all([0, 1].map(() => startServer(SETTINGS, { database: shared })))
  undo.push(() => Promise.all(nodes.map((node) => node.close())))
  const world = new World(nodes[0]!.url)
  undo.push(() => world.disconnect())
  const [alice] = await world.cast('alice')
  const groups = await Promise.all([0, 1, 2].map(() => world.group(alice, [])))
  for (const group of groups) await publishSenderKey(group)
  const purse = purseOf(alice, world.domain)
  await purse.fill()
  for (let round = 0; round < 10; round++) {
    const token = purse.take()
    const requests: SealedRequest[] = []
    for (const group of [...groups, ...groups])
      requests.push(sealedRequest(group.record.groupId, await senderKey(group), token, await messageOf(group, `round ${round}`)))
    const outcomes = await Promise.all(requests.map((request, index) => outcomeOf(nodes[index % 2]!.url, request)))
    expect(outcomes.toSorted()).toEqual(['accepted', ...Array(5).fill('token-spent')])
  }
  const { rows } = await shared.pool.query<{ spent: bigint; written: bigint }>(
    `SELECT (SELECT count(*) FROM spent_token) AS spent, (SELECT count(*) FROM log WHERE kind = 'a') AS written`,
  )
  expect(rows).toEqual([{ spent: 10n, written: 10n }])
})

it('[I7] a crash leaves neither a spent token without its message nor a message whose token can be used again', async () => {
  const shared = await database()
  const settings = { ...SETTINGS, TOKENS_PER_BATCH: '40', PORT: String(await freePort()) }
  let server: SpawnedServer = await spawnServer(shared.url, settings)
  undo.push(() => server.stop('SIGKILL'))
  const world = new World(server.url, 'localhost', 100)
  undo.push(() => world.disconnect())
  const [alice, bob] = await world.cast('alice', 'bob')
  const group = await world.group(alice, [bob])
  await agreed([bob], group)
  await publishSenderKey(group)
  const key = await senderKey(group)
  const purse = purseOf(alice, world.domain)
  await purse.fill()
  await purse.fill()
  const posts: { token: Token; request: SealedRequest }[] = []
  while (purse.tokens.length > 0) {
    const token = purse.take()
    posts.push({ token, request: sealedRequest(group.record.groupId, key, token, await messageOf(group, 'x')) })
  }
  const written = async ({ request }: { request: SealedRequest }) =>
    (await shared.pool.query('SELECT FROM log WHERE hash = $1', [sha256(request.body)])).rowCount === 1
  const spent = async ({ token }: { token: Token }) =>
    (await shared.pool.query('SELECT FROM spent_token WHERE nonce = $1', [token.authInput.nonce])).rowCount === 1

  const lanesDone: Promise<void>[] = []
  const answered: (string | undefined)[] = []
  const waiting = [...posts.entries()]
  const died = new Promise<void>((resolve) => {
    const lane = async (): Promise<void> => {
      const [next] = waiting.splice(0, 1)
      if (!next) return
      const [index, { request }] = next
      answered[index] = await outcomeOf(server.url, request)
      // Some have been answered by now, and most have not.
      if (answered.filter(Boolean).length === 9) resolve(server.stop('SIGKILL').then(() => undefined))
      return lane()
    }
    for (let lanes = 0; lanes < 6; lanes++) lanesDone.push(lane())
  })
  await died
  await Promise.all(lanesDone)
  for (const post of posts) expect(await spent(post)).toBe(await written(post))
  expect(posts.filter((_post, index) => answered[index] === undefined).length).toBeGreaterThan(0)
  for (const [index, post] of posts.entries()) if (answered[index] === 'accepted') expect(await written(post)).toBe(true)

  server = await spawnServer(shared.url, settings)
  for (const { request } of posts) expect(await outcomeOf(server.url, request)).toBe('accepted')
  const { rows } = await shared.pool.query<{ spent: bigint; written: bigint }>(
    `SELECT (SELECT count(*) FROM spent_token) AS spent, (SELECT count(*) FROM log WHERE kind = 'a') AS written`,
  )
  expect(rows).toEqual([{ spent: 80n, written: 80n }])
  for (const { token } of posts.slice(0, 3)) {
    const again = sealedRequest(group.record.groupId, key, token, await messageOf(group, 'once more'))
    expect(await outcomeOf(server.url, again)).toBe('token-spent')
  }
})
