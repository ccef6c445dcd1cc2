import { describe, expect, it } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { Client } from '../../examples/client/client.js'
import { suite } from '../../examples/client/mls/suites.js'
import { utf8 } from '../../examples/client/wire.js'
import { refusal, useStage } from '../groups/group-fixture.js'

// Who owns the server's database, or a user's session, makes a device row of that user with a key of its own: a ghost.

const stage = useStage()

/** A device that nobody of the user's has let in: its rows are written into the database. */
async function ghostOf(victim: Client): Promise<Client> {
  const [, , , , user = ''] = victim.user.split('/')
  const ghost = await Client.create({ baseUrl: stage.server.url, domain: 'localhost', user, device: 'ghost', retries: 0 })
  const { rows } = await stage.pool.query<{ id: bigint }>(
    'INSERT INTO device (account_id, client_uri) SELECT id, $2 FROM account WHERE user_uri = $1 RETURNING id',
    [victim.user, ghost.uri],
  )
  for (const [id, { publicKey }] of ghost.device.record.keys) {
    const values = [rows[0]!.id, (await suite(id)).scheme, Buffer.from(publicKey)]
    await stage.pool.query('INSERT INTO signature_key (device_id, scheme, public_key) VALUES ($1, $2, $3)', values)
  }
  await ghost.device.login()
  return ghost
}

describe.each(['public', 'private'] as const)('a ghost device of a member of a %s group', (mode) => {
  it('neither joins by itself nor reads the roster, by the policy that new groups have', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await alice.createGroup({ groupId: utf8(randomUUID()), mode })
    await group.add(bob.user)
    const ghost = await ghostOf(alice)
    const { groupId, suite: id } = group.record
    expect(await refusal(ghost.joinExternally({ groupId, mode, suite: id }))).toMatchObject({ status: 403, kind: 'policy' })
    const tree = ghost.device.http.get(`${group.path}/tree`)
    expect(await refusal(tree)).toMatchObject({ status: 403, kind: 'policy' })
    await stage.sync(bob)
    await group.send('for members')
    const read = ghost.device.http.get(`${group.path}/log`)
    expect(await refusal(read)).toMatchObject({ status: 403, kind: 'not-a-member' })
  })
})
