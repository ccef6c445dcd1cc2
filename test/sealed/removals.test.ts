import { describe, expect, it } from '@jest/globals'
import { RevokedDeviceRemovals } from '../../src/groups/removal/revoked-device-removals.js'
import type { Accepted } from '../../examples/client/group.js'
import { sealedRequest, type SealedRequest } from '../../examples/client/sealed/sealed-post.js'
import { publishSenderKey, senderKey } from '../../examples/client/sealed/sender-key.js'
import { problemOf } from '../support/world.js'
import { purseOf } from './sealed-sender-fixture.js'
import { messageOf, postOf, sealedGroup, send, useSealedServer } from './sealed-server-fixture.js'

const fixture = useSealedServer()

const refused = async (request: SealedRequest) => {
  const { status, kind } = await problemOf(send(fixture.server.url, request))
  return `${status} ${kind}`
}
describe('a device that is revoked', () => {
  it('stops all posts at once, until a member commits its Remove; and then its own for good', async () => {
    const [alice, phone, laptop] = await fixture.world.cast('alice', 'bob/phone', 'bob/laptop')
    const { group, key, purse } = await sealedGroup(fixture.world, [alice, phone, laptop])
    const theirs = laptop.group(group.record.groupId)
    const [kept, message] = [purseOf(laptop, fixture.world.domain), await messageOf(theirs, 'stolen')]
    await kept.fill()
    const waiting = await messageOf(group, 'patience')
    await phone.device.revoke('laptop')
    const token = kept.take()
    expect(await refused(sealedRequest(group.record.groupId, key, token, message))).toBe('409 commit-required')
    expect(await refused(sealedRequest(group.record.groupId, key, purse.take(), waiting))).toBe('409 commit-required')
    await group.remove(laptop.uri)
    expect(await refused(sealedRequest(group.record.groupId, key, token, message))).toBe('409 stale-epoch')
    await sendInPresentEpoch()

    async function sendInPresentEpoch(): Promise<Accepted> {
      await publishSenderKey(group)
      return send(fixture.server.url, await postOf(group, await senderKey(group), purse.take(), 'without it'))
    }
  })
})

describe('what is noted to be removed and is out already', () => {
  it('stops nobody, and the sweep forgets it', async () => {
    const [alice, bob] = await fixture.world.cast('alice', 'bob')
    const { group, purse } = await sealedGroup(fixture.world, [alice, bob])
    await group.remove(bob.uri)
    await publishSenderKey(group)
    const { pool } = fixture.database
    // As a revocation at the same time as the Commit leaves it.
    await pool.query(
      `INSERT INTO pending_removal (gid, device_id, reason) SELECT g.gid, d.id, 'revoke' FROM groups g, device d WHERE group_id = $1 AND client_uri = $2`,
      [group.record.groupId, bob.uri],
    )
    await send(fixture.server.url, await postOf(group, await senderKey(group), purse.take(), 'hello'))
    await fixture.server.app.get(RevokedDeviceRemovals).sweep()
    expect(
      (await pool.query('SELECT FROM pending_removal JOIN groups USING (gid) WHERE group_id = $1', [group.record.groupId])).rowCount,
    ).toBe(0)
  })
})
