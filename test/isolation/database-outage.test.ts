import { afterEach, describe, expect, it } from '@jest/globals'
import type { Group } from '../../examples/client/group.js'
import type { Client } from '../../examples/client/client.js'
import { Jobs } from '../../src/platform/jobs/jobs.js'
import { eventually } from '../support/eventually.js'
import { GENEROUS } from '../support/generous.js'
import { postgresProxy } from '../support/network/postgres-proxy.js'
import { problemOf, World } from '../support/world.js'
import { DatabaseWorld } from './database-fixture.js'

/** Replaces 12 s: nothing that is healthy takes so long, even on a busy machine. */
const DEADLINE = '1500ms'

const databases = new DatabaseWorld()
afterEach(() => databases.clear())

/** Two who talk, by a server whose way to PostgreSQL can fall silent. */
async function conversation() {
  const database = await databases.database()
  const proxy = await postgresProxy(database.url)
  databases.later(() => proxy.close())
  const settings = { ...GENEROUS, PG_STATEMENT_DEADLINE: DEADLINE, PG_POOL_API: '3' }
  const { server, ready } = await databases.serve({ ...database, url: proxy.url }, settings)
  const world = new World(server.url, 'localhost', 0)
  databases.later(() => world.disconnect())
  const [alice, bob] = await world.cast('alice', 'bob')
  const group = await world.group(alice, [bob])
  await group.send('before')
  await bob.until('the first text', () => textsOf(bob, group).includes('before'))
  return { proxy, server, ready, alice, bob, group }
}

const textsOf = (client: Client, group: Group) => client.group(group.record.groupId).texts

/** A read of somebody who is logged in. */
async function read(url: string, client: Client, group: Group) {
  const address = `${url}/v1/groups/${Buffer.from(group.record.groupId).toString('base64url')}`
  const response = await fetch(address, { headers: client.device.http.credentials('GET', address) })
  return { status: response.status, retryAfter: response.headers.get('retry-after') }
}

describe.each([
  ['and new ones are accepted and silent as well', true],
  ['while new ones work', false],
])('when all connections to PostgreSQL fall silent %s', (_name, newOnes) => {
  it('posts and reads are answered with 503 while it lasts, however many come, and all continues without a restart', async () => {
    const { proxy, server, ready, alice, bob, group } = await conversation()
    proxy.stall({ newOnes })
    // More than there are connections, so some wait for one.
    const reads = Array.from({ length: 9 }, () => read(server.url, alice, group))
    const posted = group.send('during the outage')
    if (newOnes) expect(await problemOf(posted)).toMatchObject({ status: 503, kind: 'unavailable' })
    // By a new connection, or refused: it depends on who was first.
    else await posted.catch((error: unknown) => expect(error).toMatchObject({ status: 503 }))
    for (const { status, retryAfter } of await Promise.all(reads)) {
      // A caller that waited may have got a new connection.
      if (newOnes || status !== 200) expect([status, retryAfter]).toEqual([503, '1'])
    }
    const counted = await (await fetch(`${server.url}/metrics`)).text()
    expect(counted).toMatch(/^limits_refused_total\{limit="statement-deadline"\} [1-9]/m)
    proxy.resume()
    await eventually(ready, ({ http }) => http === 200)
    await eventually(
      () =>
        group.send('after').then(
          () => true,
          () => false,
        ),
      (sent) => sent,
    )
    await bob.until('the text after it', () => textsOf(bob, group).includes('after'))
  })
})

it('jobs on PostgreSQL continue after a silence, those that come by LISTEN included', async () => {
  const { proxy, server, ready } = await conversation()
  const jobs = server.app.get(Jobs)
  const done: unknown[] = []
  jobs.process('note', async (data: unknown) => void done.push(data))
  await jobs.enqueue('note', 1)
  await eventually(
    () => done.length,
    (count) => count === 1,
  )
  proxy.stall()
  await expect(jobs.enqueue('note', 2)).rejects.toThrow()
  proxy.resume()
  await eventually(ready, ({ http }) => http === 200)
  await eventually(
    () =>
      jobs.enqueue('note', 3).then(
        () => true,
        () => false,
      ),
    (added) => added,
  )
  await eventually(
    () => done,
    (seen) => seen.includes(3),
  )
})
