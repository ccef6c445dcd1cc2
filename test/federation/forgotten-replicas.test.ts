import { expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { ForgottenReplicas } from '../../src/federation/quotas/forgotten-replicas.js'
import { eventually } from '../support/eventually.js'
import { useFederation } from '../support/federated-world.js'
import { agreed, at, heard, joined, type World } from '../support/world.js'

// An honest hub whose follower has forgotten a group that nobody there took up in time.

const federated = useFederation(2)
const [hub, follower] = [() => federated.providers[0]!, () => federated.providers[1]!]

async function replicas(): Promise<number> {
  const { rows } = await follower().pool.query<{ n: number }>('SELECT count(*)::int AS n FROM groups')
  return rows[0]!.n
}

const cursor = async () => {
  const { rows } = await hub().pool.query<{ acked: bigint; stopped: string | null; head: bigint }>(
    'SELECT c.acked, c.stopped, g.head_seq AS head FROM peer_cursor c JOIN groups g USING (gid) ORDER BY c.gid DESC LIMIT 1',
  )
  return rows[0]!
}

/** Bob is added while he is away, and away for so long that his provider has forgotten it. */
async function forgotten(): Promise<{ alice: Client; bob: Client; group: Group }> {
  const [home, away] = federated.worlds as [World, World]
  const [[alice], [bob]] = await Promise.all([home.cast('alice'), away.cast('bob')])
  await bob.disconnect()
  const group = await home.group(alice, [])
  await group.add(bob.user)
  await group.send('nobody reads this')
  await eventually(cursor, ({ acked, head }) => acked === head)
  const before = await replicas()
  await follower().pool.query("UPDATE replica_storage SET invited_at = invited_at - interval '91 days'")
  await follower().app.get(ForgottenReplicas).run()
  expect(await replicas()).toBe(before - 1)
  return { alice, bob, group }
}

it('is told so by a few answers, and stops; the user who is added again reads from there', async () => {
  const { alice, bob, group } = await forgotten()
  const asked = follower().proxy.seen.filter((endpoint) => endpoint === 'notify').length
  for (let number = 0; number < 5; number++) await group.send(`nor this ${number}`)
  expect((await eventually(cursor, ({ stopped }) => stopped !== null)).stopped).toContain('roster-refused')
  await group.send('nor this')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(follower().proxy.seen.filter((endpoint) => endpoint === 'notify').length - asked).toBeLessThanOrEqual(4)
  await group.remove(bob.device.client)
  await group.add(bob.user)
  bob.connect()
  await joined(bob, group.record.groupId)
  await group.send('welcome back')
  await heard([bob], group, ['welcome back'])
  await agreed([alice], at(bob, group))
  await federated.everyoneHasRead()
})

it('brings the user back also where nothing was said in between', async () => {
  const { alice, bob, group } = await forgotten()
  await group.remove(bob.device.client)
  await group.add(bob.user)
  bob.connect()
  await joined(bob, group.record.groupId)
  await at(bob, group).send('here again')
  await heard([alice], group, ['nobody reads this', 'here again'])
  await agreed([alice], at(bob, group))
  await federated.everyoneHasRead()
})
