import { beforeEach, describe, expect, it } from '@jest/globals'
import { useScene, type Scene } from './joins-fixture.js'
import { cbor, HostileGroup } from './peer/hub.js'
import { externalCommit } from './peer/mls.js'
import { opaque } from './peer/tls.js'

// What a device sends through its provider to come in from outside, and what a hub makes of it.

const scene = useScene()
let { a, c, d, world, alice, client }: Scene = {} as Scene
beforeEach(() => void ({ a, c, d, world, alice, client } = scene))

const { groupAt, memberships } = {
  groupAt: (...given: Parameters<Scene['groupAt']>) => scene.groupAt(...given),
  memberships: () => scene.memberships(),
}

describe('a Commit from outside that was passed on for a device', () => {
  /** Has alice send a Commit to the hub's group, which answers with what is given, or not at all. @returns the Commit */
  async function passed(group: HostileGroup, answer: 'accepted' | 'lost', message?: Buffer): Promise<Buffer> {
    const key = [...alice.device.record.keys.entries()].find(([suite]) => suite === 1)![1].publicKey
    const commit = message ?? externalCommit(group.place, client, key)
    const accepted = Buffer.concat([
      Buffer.of(0),
      opaque(''),
      Buffer.alloc(8),
      Buffer.of(1),
      Buffer.alloc(20),
      Buffer.alloc(32),
      opaque(''),
    ])
    accepted.writeBigUInt64BE(BigInt(group.seq + 1), 11)
    accepted.writeBigUInt64BE(BigInt(group.epoch + 1), 19)
    accepted.writeUInt32BE(1, 27)
    c.answering = (endpoint) => {
      if (endpoint === 'room') return { status: 200, body: cbor({ room: group.roomId, group_id: group.groupId }) }
      if (endpoint !== 'update') return { status: 404 }
      return answer === 'lost' ? 'hang up' : { status: 200, body: accepted }
    }
    const { group_id: id } = await alice.device.http.get<{ group_id: Uint8Array }>(`/v1/rooms/${encodeURIComponent(group.roomId)}`)
    const path = `/v1/groups/${Buffer.from(id).toString('base64url')}/commits`
    const sent = alice.device.http.post(path, { commit })
    if (answer === 'accepted') await sent
    else await expect(sent).rejects.toMatchObject({ kind: 'hub-unreachable' })
    return commit
  }

  it.each(['accepted', 'lost'] as const)('brings it in, once, when the answer is %s', async (answer) => {
    const group = groupAt(c)
    const commit = await passed(group, answer)
    expect(await group.joinFromOutside(a, client, commit)).toBe('received')
    expect(await group.remove(a, client)).toBe('received')
    // The follower does not know of which epoch it was: it is in the Commit, and the hub says the same.
    group.epoch = 0
    expect(await group.joinFromOutside(a, client, commit)).toBe('roster-refused')
    expect(await memberships()).toBe(1)
  })

  it('brings it into no other room, and nobody else in', async () => {
    const group = groupAt(c)
    const commit = await passed(group, 'accepted')
    const [bob] = await world.cast('bob')
    const elsewhere = new HostileGroup(c, group.groupId, `${group.roomId}-2`)
    expect(await elsewhere.joinFromOutside(a, client, commit)).toBe('roster-refused')
    expect(await new HostileGroup(d, group.groupId).joinFromOutside(a, client, commit)).toBe('roster-refused')
    expect(await group.joinFromOutside(a, bob.device.client, commit)).toBe('roster-refused')
  })

  it('counts once in one batch', async () => {
    const group = groupAt(c)
    const commit = await passed(group, 'accepted')
    const left = { seq: 2, client, change: 'left' } as const
    const entries = [commit, externalCommit(group.place, client, commit), commit].map(
      (message) => ({ kind: 'commit', epoch: 0, message }) as const,
    )
    expect(await group.push(a, entries, { roster: [{ seq: 1, client }, left, { seq: 3, client }] })).toBe('batch-refused')
    expect(await memberships()).toBe(0)
  })

  it('is not passed on with a key that the device has not registered, or a certificate of somebody else', async () => {
    const group = groupAt(c)
    const other = passed(group, 'accepted', externalCommit(group.place, client, Buffer.alloc(32, 9)))
    await expect(other).rejects.toMatchObject({ kind: 'invalid-commit' })
    expect(c.seen.filter((endpoint) => endpoint === 'update')).toEqual(expect.anything())
    expect(await group.joinFromOutside(a, client)).toBe('roster-refused')
  })
})
