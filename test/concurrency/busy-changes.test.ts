import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { publishSenderKey } from '../../examples/client/sealed/sender-key.js'
import { utf8 } from '../../examples/client/wire.js'
import { OPERATIONS_TABLE, type Operation } from '../../src/groups/operations/operations-table.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import { at, draft, Stage, submit } from '../groups/group-fixture.js'
import { createPatientDatabase, type TestDatabase } from '../support/database.js'
import { startServer } from '../support/server.js'
import { GENEROUS } from '../support/world.js'

// What is answered while a group is locked, by the order of the answers. Locks are waited for longer than the tests last, so no limit of time decides.

const CONNECTIONS = 6
const stage = new Stage()
let database: TestDatabase
let holder: ReturnType<typeof createPool>

beforeAll(async () => {
  database = await createPatientDatabase()
  holder = createPool(database.url, { max: 1, prepare: false })
  const settings = { PG_POOL_API: String(CONNECTIONS), PG_STATEMENT_DEADLINE: '300s', SWEEP_INTERVAL: '60s', ROLE: 'api' }
  stage.server = await startServer({ ...GENEROUS, ...settings }, { database })
})
afterAll(async () => {
  await holder.end()
  await stage.server.close()
  await database.drop()
})

interface Scene {
  alice: Client
  bob: Client
  group: Group
}

async function scene(): Promise<Scene> {
  const [alice, bob] = await stage.cast('alice', 'bob')
  const group = await stage.group(alice, [bob])
  await group.update() // a Commit that Bob may report
  await stage.sync(bob)
  return { alice, bob, group }
}

const path = ({ group }: Scene, rest: string) => `${group.path}${rest}`
const userOf = ({ user }: Client) => user.split('/').at(-1)!

/** Each operation that changes a group, as one request that is made many times at once. */
const CHANGES: Record<string, (scene: Scene) => Promise<() => Promise<unknown>>> = {
  commit: async ({ bob, group }) => {
    const { bundle } = await draft(at(bob, group))
    return () => submit(bob, group, bundle)
  },
  proposal: async ({ bob, group }) => {
    const { state, suite: number } = at(bob, group).record
    const remove = { proposalType: 'remove' as const, remove: { removed: state.privatePath.leafIndex } }
    const { message } = await createProposal(state, true, remove, (await suite(number)).impl)
    return () => bob.device.http.post(`${group.path}/proposals`, { proposal: encodeMlsMessage(message) })
  },
  'publish-sender-key': async ({ bob, group }) => {
    return () => publishSenderKey(at(bob, group))
  },
  'change-policy': async (at) => () => at.alice.device.http.put(path(at, '/policy'), { add_members: 'admins' }),
  'make-admin': async (at) => () => at.alice.device.http.put(path(at, `/admins/${userOf(at.bob)}`)),
  'dismiss-admin': async (at) => () => at.alice.device.http.delete(path(at, `/admins/${userOf(at.bob)}`)),
  ban: async (at) => () => at.alice.device.http.put(path(at, `/bans/${userOf(at.bob)}`)),
  unban: async (at) => () => at.alice.device.http.delete(path(at, `/bans/${userOf(at.bob)}`)),
  leave: async (at) => () => at.bob.device.http.post(path(at, '/leave')),
  report: async (at) => () => at.bob.device.http.post(path(at, '/reports'), { seq: at.group.record.cursor, reason: 'undecryptable' }),
  reset: async (at) => () => at.alice.device.http.post(path(at, '/reset')),
  'undo-reset': async (at) => {
    await at.alice.device.http.post(path(at, '/reset'))
    return () => at.alice.device.http.delete(path(at, '/reset'))
  },
  delete: async (at) => () => at.alice.device.http.delete(path(at, '')),
}
/** What is no operation of the table: a hub has no part in it, or the group is named in the body. */
const OTHERS: typeof CHANGES = {
  'a choice of delivery': async (at) => () => at.bob.device.http.put(path(at, '/delivery'), { delivery: 'muted' }),
  'an invitation that is accepted': async (at) => () =>
    at.bob.device.http.post(`/v1/invitations/${at.group.path.split('/').at(-1)}/accept`),
  'a successor': async (at) => {
    await at.alice.device.http.post(path(at, '/reset'))
    return () => at.alice.createGroup({ groupId: utf8(randomUUID()), successorOf: at.group.record.groupId })
  },
}

describe('changes of a group whose row is locked', () => {
  it('are all tried here', () => {
    const table = stage.server.app.get<Record<string, Operation>>(OPERATIONS_TABLE, { strict: false })
    const changing = Object.entries(table).filter(([, { rate }]) => rate !== 'reads' && rate !== 'messages')
    expect(Object.keys(CHANGES).toSorted()).toEqual(changing.map(([name]) => name).toSorted())
  })

  it.each(Object.entries({ ...CHANGES, ...OTHERS }))(
    'leave connections for others: %s, more often than there are connections',
    async (_, prepare) => {
      const [dave] = await stage.cast('dave')
      const bystander = await stage.group(dave)
      const busy = await scene()
      const change = await prepare(busy)
      const session = await holder.connect()
      await session.query('BEGIN')
      await session.query('SELECT FROM groups g JOIN group_policy p USING (gid) WHERE g.gid = $1 FOR UPDATE', [await stage.gid(busy.group)])
      const order: string[] = []
      const held = Array.from({ length: 3 * CONNECTIONS }, () =>
        change().then(
          () => order.push('accepted'),
          (error: unknown) => order.push(String(error)),
        ),
      )
      try {
        for (let round = 0; round < 3; round++) {
          await bystander.update()
          await bystander.send('hello')
        }
        expect(order).toEqual([])
      } finally {
        await session.query('ROLLBACK')
        session.release()
        await Promise.all(held)
      }
      expect(order).toContain('accepted')
      expect(order.filter((outcome) => /unavailable|internal/i.test(outcome))).toEqual([])
    },
  )
})
