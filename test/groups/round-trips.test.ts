import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, type Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import { mergePending } from '../../examples/client/entries.js'
import type { Group } from '../../examples/client/group.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import { suite } from '../../examples/client/mls/suites.js'
import { RedisClients } from '../../src/platform/redis/redis-clients.js'
import { hasRedis, startRedis, type TestRedis } from '../support/redis.js'
import { startServer } from '../support/server.js'
import { GENEROUS } from '../support/world.js'
import { at, draft, refusal, Stage, submit } from './group-fixture.js'

// What one request waits for, as docs/architecture.md §5 says it. Counted are statements and commands, never time.

/** Asked for once a second and device, for all its requests (`DeviceStatuses`); and once for each group that a node meets (`GroupLocator`). */
const COUNTED_APART = ['read_session_devices', 'find_home']
/** Most round trips to PostgreSQL for one public Commit. */
const MOST = 4

const stage = new Stage()
let redis: TestRedis | undefined
const trips = { postgres: [] as string[], redis: [] as string[] }

beforeAll(async () => {
  redis = hasRedis ? await startRedis() : undefined
  // Nothing but the requests of the tests: no jobs, and no sweep before they are over.
  const quiet = { ROLE: 'api', SWEEP_INTERVAL: '60s' }
  stage.server = await startServer({ ...GENEROUS, ...quiet, ...(redis && { REDIS_URL: redis.url }) })
  countTrips()
})
afterAll(async () => {
  await stage.server?.close()
  await redis?.stop()
})

function countTrips(): void {
  const { pool, app } = stage.server
  const query = pool.query.bind(pool)
  const counted = (...given: unknown[]): unknown => {
    trips.postgres.push((given[0] as { name?: string }).name ?? 'a statement without a name')
    return Reflect.apply(query, pool, given)
  }
  // Also on connections that are taken from the pool, for a transaction.
  const connect = pool.connect.bind(pool) as (...given: unknown[]) => unknown
  const counting = (...given: unknown[]): unknown => {
    if (given.length === 0) trips.postgres.push('a connection')
    return connect(...given)
  }
  Object.assign(pool, { query: counted, connect: counting })
  const publisher = app.get(RedisClients, { strict: false }).publisher
  if (!publisher) return
  const send = publisher.sendCommand.bind(publisher) as (...given: unknown[]) => unknown
  Object.assign(publisher, {
    sendCommand: (...given: [{ name: string; args: unknown[] }, ...unknown[]]) => {
      // A process asks now and then whether Redis is there, whatever requests come.
      if (!String(given[0].args[0]).includes(':echo:')) trips.redis.push(given[0].name)
      return send(...given)
    },
  })
}

/** The statements of one request. */
async function statementsOf(request: () => Promise<unknown>): Promise<string[]> {
  trips.postgres.length = trips.redis.length = 0
  await request()
  return trips.postgres.filter((name) => !COUNTED_APART.includes(name))
}

/** The own Commit, sent without being followed by anything else; then in force at its sender. */
async function commit(by: Client, group: Group, proposals: readonly Proposal[] = []): Promise<string[]> {
  const pending = await draft(group, proposals)
  const statements = await statementsOf(() => submit(by, group, pending.bundle))
  group.record.pending = pending
  mergePending(group.record)
  return statements
}

/** A group of two whose state is in the server's memory. */
async function pair() {
  const [alice, bob] = await stage.cast('alice', 'bob')
  const group = await stage.group(alice, [bob])
  await group.update()
  await stage.sync(bob)
  return { alice, bob, group }
}

describe('a public Commit', () => {
  it('is read for, looked up by whom it names, and written: three statements', async () => {
    const { alice, group } = await pair()
    expect(await commit(alice, group)).toEqual(['read_for_submission', 'devices_of_leaves', 'submit_commit'])
  })

  it('takes no more for whom it adds', async () => {
    const { alice, group } = await pair()
    const [carol, dave] = await stage.cast('carol', 'dave')
    const claims = await Promise.all([carol, dave].map(({ user }) => alice.device.claim(user, 1)))
    const adds = claims.map(({ key_packages: [one] }) => ({
      proposalType: 'add' as const,
      add: { keyPackage: decodeKeyPackageMessage(one!.key_package) },
    }))
    expect(await commit(alice, group, adds)).toEqual(['read_for_submission', 'devices_of_leaves', 'submit_commit'])
  })

  it('reads the handshakes that the state in memory has not seen: a fourth, and no more', async () => {
    const { alice, bob, group } = await pair()
    await propose(bob, group)
    await stage.sync(alice)
    const statements = await commit(alice, group)
    expect(statements).toEqual(['read_for_submission', 'read_handshakes', 'devices_of_leaves', 'submit_commit'])
    expect(statements.length).toBeLessThanOrEqual(MOST)
  })

  it('sent again is answered by the first statement, and a late one by what it missed', async () => {
    const { alice, bob, group } = await pair()
    const mine = await draft(group)
    const late = await draft(at(bob, group))
    await submit(alice, group, mine.bundle)
    expect(await statementsOf(() => submit(alice, group, mine.bundle))).toEqual(['read_for_submission'])
    expect(await statementsOf(() => refusal(submit(bob, group, late.bundle)))).toEqual(['read_for_submission', 'read_missed_handshakes'])
  })

  it('of a stranger is refused by the first statement', async () => {
    const { group } = await pair()
    const [mallory] = await stage.cast('mallory')
    const { bundle } = await draft(group)
    expect(await statementsOf(() => refusal(submit(mallory, group, bundle)))).toEqual(['read_for_submission'])
  })

  ;(hasRedis ? it : it.skip)(
    'remembers its proof, counts for its device, account and group, takes the lock, gives it back and publishes one hint on Redis',
    async () => {
      const { alice, group } = await pair()
      await commit(alice, group)
      expect([...trips.redis].sort()).toEqual(['eval', 'evalsha', 'evalsha', 'evalsha', 'publish', 'set', 'set'])
    },
  )
})

describe('a public Proposal', () => {
  it('is read for, and for whom it names, and written: three statements', async () => {
    const { bob, group } = await pair()
    expect(await propose(bob, group)).toEqual(['read_for_submission', 'devices_of_leaves', 'submit_proposal'])
  })
})

async function propose(by: Client, group: Group): Promise<string[]> {
  const { state, suite: number } = at(by, group).record
  const remove = { proposalType: 'remove' as const, remove: { removed: state.privatePath.leafIndex } }
  const { message } = await createProposal(state, true, remove, (await suite(number)).impl)
  const proposal = encodeMlsMessage(message)
  return statementsOf(() => by.device.http.post(`${group.path}/proposals`, { proposal }))
}
