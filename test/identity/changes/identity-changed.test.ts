import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import { createDeviceInvite } from '../../../src/authentication/accounts/administration.js'
import { IdentityNotices } from '../../../src/authentication/identity-notices/identity-notices.job.js'
import { newName } from '../../authentication/device-fixture.js'
import { useStage } from '../../groups/group-fixture.js'
import { ListedAccount } from '../listed-account.js'

const stage = useStage()

/** The operator lets somebody register again under a user's name. */
async function beginAgain({ user }: Client): Promise<void> {
  const invite = await createDeviceInvite(stage.pool, user, 60_000)
  const impostor = await ListedAccount.prepared(stage.server.url, user.split('/').at(-1), { device: newName() })
  const answer = await impostor.register({ invite_code: invite!.code })
  if (answer.status !== 201) throw new Error(`Registering gave ${answer.status} ${JSON.stringify(answer.body)}`)
}

const runJob = (members?: number) => stage.server.app.get(IdentityNotices, { strict: false }).run(members)

async function heard(client: Client): Promise<unknown[]> {
  const { rows } = await stage.pool.query(
    `SELECT payload ->> 'user' AS user FROM inbox WHERE kind = 'identity.changed' AND device_id = (SELECT id FROM device WHERE client_uri = $1)`,
    [client.uri],
  )
  return rows.map(({ user }) => user)
}

const waiting = async () => (await stage.pool.query('SELECT FROM identity_notice')).rowCount

describe('a user who begins another identity', () => {
  it('is named once to each member of a group with the user, in batches of any size, and to nobody else', async () => {
    const [alice, bob, carol, dave] = await stage.cast('alice', 'bob', 'carol', 'dave')
    await stage.group(alice, [bob, carol])
    await stage.group(bob, [alice])
    expect(await waiting()).toBe(0)
    await beginAgain(alice)
    expect(await waiting()).toBe(2)
    await runJob(1)
    expect(await waiting()).toBe(0)
    expect([await heard(bob), await heard(carol)]).toEqual([[alice.user], [alice.user]])
    expect([await heard(dave), await heard(alice)]).toEqual([[], []])
    // A bare repetition of the job says nothing more; another identity is not said twice while the first is not read.
    await runJob()
    await beginAgain(alice)
    await runJob()
    expect(await heard(bob)).toEqual([alice.user])
  })

  it('is taken up by two workers at once: each hears it once', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    await stage.group(alice, [bob])
    await beginAgain(alice)
    await Promise.all([runJob(), runJob()])
    expect(await heard(bob)).toEqual([alice.user])
    expect(await waiting()).toBe(0)
  })

  it('is named where the provider of another one has shown another list', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    await stage.group(alice, [bob])
    // Alice stands for a user of another provider: her list is a copy.
    const account = `(SELECT account_id FROM device WHERE client_uri = $1)`
    await stage.pool.query(
      `INSERT INTO foreign_device_list (account_id, identity, number, identities, entries, head, fetched_at)
       VALUES (${account}, '\\x01', 1, 1, ARRAY['\\x00'::bytea], '\\x00', now())`,
      [alice.uri],
    )
    await stage.pool.query(`UPDATE foreign_device_list SET number = 2 WHERE account_id = ${account}`, [alice.uri])
    expect(await waiting()).toBe(0)
    await stage.pool.query(`UPDATE foreign_device_list SET identity = '\\x02', identities = 2 WHERE account_id = ${account}`, [alice.uri])
    await runJob()
    expect(await heard(bob)).toEqual([alice.user])
  })
})
