import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { DeviceListChanges } from '../../../src/authentication/device-list/device-list-changes.js'
import { fromBase64url } from '../../../src/platform/http/bytes.js'
import { Http, TestDevice, UNLIMITED, type Answer } from '../../authentication/device-fixture.js'
import { uncommittedChange } from '../../authentication/account-lock.js'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { eventually } from '../../support/eventually.js'
import { startServer, type TestServer } from '../../support/server.js'
import { call, forgetNotices, hashOf, household, inboxOf, letTimePass, proofBy, revoke, runJob, type Household } from './changes-fixture.js'

let database: TestDatabase
let nodes: [TestServer, TestServer]
beforeAll(async () => {
  database = await createTestDatabase()
  const settings = { ...UNLIMITED, LIMITS: 'device-list-changes=10000' }
  nodes = [await startServer(settings, { database }), await startServer(settings, { database })]
})
afterAll(async () => {
  for (const node of nodes) await node.close()
  await database.drop()
})

/** The same session at the other node. */
function elsewhere(device: TestDevice): TestDevice {
  const other = new TestDevice(new Http(nodes[1].url), device.name, device.device, device.keys)
  other.accessToken = device.accessToken
  return other
}

/** As the database says: a node that was not asked may take up to a second to hear of it. */
async function standingOf({ client }: TestDevice): Promise<string> {
  const { rowCount } = await nodes[0].pool.query('SELECT FROM device WHERE client_uri = $1 AND revoked_at IS NULL', [client])
  return rowCount === 1 ? 'accepted' : 'device-revoked'
}

/** What a change did, each once or not at all. */
async function outcome(home: Household) {
  const { number } = await home.account.seen(home.phone)
  const waits = (await nodes[0].pool.query('SELECT FROM pending_list_change')).rowCount
  return { number, waits, laptop: await standingOf(home.laptop), phone: await inboxOf(home.phone) }
}

const HELD = { number: 6, waits: 0, laptop: 'device-revoked' }
const DROPPED = { number: 5, waits: 0, laptop: 'accepted' }

describe('a change that is due', () => {
  it.each(Array.from({ length: 5 }, (_, round) => round))(
    'is approved, refused and taken up by two workers at once, on two nodes: one of them does it (%i)',
    async (round) => {
      const home = await household(nodes[0])
      expect((await revoke(home, { device: home.phone, holder: home.of.phone }, [home.of.laptop])).status).toBe(202)
      await forgetNotices(nodes[0].pool, home.account)
      const { entries } = (await home.phone.call('GET', '/v1/device-list/pending')).body as unknown as { entries: string[] }
      const hash = hashOf(fromBase64url(entries.at(-1)!)!)
      const other = elsewhere(home.phone)
      const approval = await proofBy(home.phone, 'approve-change', hash, home.of.words)
      const refusal = await proofBy(other, 'refuse-change', hash, home.of.phone)
      await letTimePass(nodes[0].pool)
      const tasks = [
        () => call(home.phone, 'POST', '/v1/device-list/pending/approval', approval),
        () => call(other, 'DELETE', '/v1/device-list/pending', refusal),
        () => runJob(nodes[0]),
        () => runJob(nodes[1]),
      ]
      const answers = await Promise.all([...tasks.slice(round % 4), ...tasks.slice(0, round % 4)].map((task) => task()))
      const statuses = answers.flatMap((answer: Answer | void) => (answer === undefined ? [] : [answer.status]))
      expect(statuses.filter((status) => status < 300).length).toBeLessThanOrEqual(1)
      expect(statuses.every((status) => [200, 204, 403, 404, 409].includes(status))).toBe(true)
      const after = await outcome(home)
      if (statuses.includes(204)) expect(after).toEqual({ ...DROPPED, phone: [] })
      else if (statuses.includes(200)) expect(after).toEqual({ ...HELD, phone: [] })
      else expect(after).toEqual({ ...HELD, phone: ['device.revoked laptop', 'device-list.changed 6'] })
    },
  )

  it('meets another change: the list has one or the other, and nothing waits', async () => {
    const home = await household(nodes[0])
    const { list } = home.account
    expect((await revoke(home, { device: home.laptop, holder: home.of.laptop }, [home.of.phone])).status).toBe(202)
    await letTimePass(nodes[0].pool)
    await list.revoke(home.of.phone, home.of.laptop.number)
    const body = await home.account.update(6)
    const [answer] = await Promise.all([elsewhere(home.phone).call('POST', '/v1/device-list', body), runJob(nodes[0]), runJob(nodes[1])])
    const standing = [await standingOf(home.phone), await standingOf(home.laptop)]
    const isIn = answer.status === 200
    expect(standing).toEqual(isIn ? ['accepted', 'device-revoked'] : ['device-revoked', 'accepted'])
    expect((await nodes[0].pool.query('SELECT FROM pending_list_change')).rowCount).toBe(0)
    expect((await home.account.seen(isIn ? home.phone : home.laptop)).number).toBe(6)
  })

  it('has its turn behind a hundred older ones that fail, and these stay', async () => {
    const home = await household(nodes[0])
    expect((await revoke(home, { device: home.phone, holder: home.of.phone }, [home.of.laptop])).status).toBe(202)
    await letTimePass(nodes[0].pool)
    const changes = nodes[0].app.get(DeviceListChanges, { strict: false })
    const prepare = changes.prepareWaiting.bind(changes)
    const failing = jest
      .spyOn(changes, 'prepareWaiting')
      .mockImplementation((user, ...rest) => (user.includes('/failing-') ? Promise.reject(new Error('fails')) : prepare(user, ...rest)))
    await nodes[0].pool.query(
      `WITH a AS (INSERT INTO account (user_uri) SELECT 'mimi://localhost/u/failing-' || n FROM generate_series(1, 101) n RETURNING id)
       INSERT INTO pending_list_change (account_id, number, hash, signers, entries, head, effective_at)
       SELECT id, 5, '\\x00', '{2}', ARRAY['\\x00'::bytea], '\\x00', now() - interval '1 hour' FROM a`,
    )
    await expect(runJob(nodes[0])).rejects.toThrow('fails')
    expect(await standingOf(home.laptop)).toBe('device-revoked')
    expect(failing).toHaveBeenCalledTimes(102)
    expect((await nodes[0].pool.query('DELETE FROM pending_list_change')).rowCount).toBe(101)
    failing.mockRestore()
  })

  it('meets its end: a worker that dies in between leaves it to the next one', async () => {
    const home = await household(nodes[0])
    expect((await revoke(home, { device: home.phone, holder: home.of.phone }, [home.of.laptop])).status).toBe(202)
    await letTimePass(nodes[0].pool)
    // The account is held, so the worker is in the middle of its transaction; then its connection ends, as it does when the process dies.
    const { commitBeneath } = await uncommittedChange(nodes[0].pool, home.phone.user, 'SELECT $1::int', [1])
    const running = runJob(nodes[0]).then(
      () => 'done',
      () => 'died',
    )
    await eventually(
      () =>
        nodes[0].pool.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        ),
      ({ rowCount }) => rowCount === 1,
    )
    expect(await commitBeneath(running)).toBe('died')
    expect(await standingOf(home.laptop)).toBe('accepted')
    await runJob(nodes[1])
    expect(await standingOf(home.laptop)).toBe('device-revoked')
  })
})
