import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { handedOutTo } from '../../../src/federation/draft/follower/draft-members.repository.js'
import { useScene, type Scene } from './joins-fixture.js'
import { claimFor } from './peer/hub.js'
import { privateMessage, publicCommit, refOf, welcome } from './peer/mls.js'

// A hub that signs well says that users of another provider came into its groups.

const scene = useScene()
let { a, c, d, server, world, alice, client }: Scene = {} as Scene
beforeEach(() => void ({ a, c, d, server, world, alice, client } = scene))

const { groupAt, count, memberships, handed } = {
  groupAt: (...given: Parameters<Scene['groupAt']>) => scene.groupAt(...given),
  count: (...given: Parameters<Scene['count']>) => scene.count(...given),
  memberships: () => scene.memberships(),
  handed: (...given: Parameters<Scene['handed']>) => scene.handed(...given),
}

describe('a hub is not believed that somebody joined', () => {
  afterEach(async () => expect(await memberships()).toBe(0))

  it('by a Commit from outside that it forged', async () => {
    const group = groupAt(c)
    expect(await group.joinFromOutside(a, client)).toBe('roster-refused')
    expect(await count('SELECT FROM followed_group WHERE group_id = $1', [group.groupId])).toBe(0)
  })

  it('by a Welcome to a KeyPackage that was handed out for another room of its own', async () => {
    const ref = await handed(groupAt(c))
    expect(await groupAt(c).add(a, client, welcome([ref]))).toBe('roster-refused')
  })

  it('by a Welcome to a KeyPackage that was handed out for a room of another hub, as one that it saw in a public Add', async () => {
    const ref = await handed(groupAt(d))
    expect(await groupAt(c).add(a, client, welcome([ref]))).toBe('roster-refused')
  })

  it('by a Welcome to a KeyPackage that a user of the same provider claimed', async () => {
    const [bob] = await world.cast('bob')
    const { key_packages: claimed } = await bob.device.claim(alice.user, 1)
    expect(await groupAt(c).add(a, client, welcome([claimed[0]!.ref]))).toBe('roster-refused')
    expect(await count('SELECT FROM key_package_claim WHERE ref = $1 AND used', [claimed[0]!.ref])).toBe(0)
  })

  it('by a Welcome to a KeyPackage that nobody was given, though it stands here as the last resort', async () => {
    const { rows } = await server.pool.query<{ ref: Buffer }>(
      'SELECT c.ref FROM key_package_claim c JOIN device d ON d.id = c.device_id WHERE d.client_uri = $1 AND c.last_resort AND c.cipher_suite = 1',
      [client],
    )
    expect(await groupAt(c).add(a, client, welcome([rows[0]!.ref]))).toBe('roster-refused')
  })

  it('by a Welcome to a KeyPackage that ended more than a day ago', async () => {
    const group = groupAt(c)
    const ref = await handed(group)
    await server.pool.query("UPDATE handed_out_key_package SET expires_at = now() - interval '25 hours' WHERE ref = $1", [ref])
    expect(await group.add(a, client, welcome([ref]))).toBe('roster-refused')
  })

  it('by a Welcome to another KeyPackage than the one that its Commit adds', async () => {
    const group = groupAt(c, 'public')
    const [added, answered] = [await claimFor(c, a, alice.user, group.roomId), await claimFor(c, a, alice.user, group.roomId)]
    const message = publicCommit(group.place, [added])
    expect(await group.add(a, client, welcome([refOf(answered)]), message)).toBe('roster-refused')
  })

  it('by a Welcome that belongs to another Commit', async () => {
    const group = groupAt(c)
    const ref = await handed(group)
    const welcomes = [{ seq: 2, clients: [client], message: welcome([ref]) }]
    const entry = (epoch: number) => ({ kind: 'commit', epoch, message: privateMessage({ ...group.place, epoch }, 'commit') }) as const
    expect(await group.push(a, [entry(0), entry(1)], { roster: [{ seq: 1, client }], welcomes })).toBe('roster-refused')
  })
})

describe('a Welcome to a KeyPackage that was handed out for the room', () => {
  it('brings its owner in, once', async () => {
    const group = groupAt(c, 'public')
    const keyPackage = await claimFor(c, a, alice.user, group.roomId)
    const message = welcome([refOf(keyPackage)])
    expect(await group.add(a, client, message, publicCommit(group.place, [keyPackage]))).toBe('received')
    expect(await group.remove(a, client)).toBe('received')
    expect(await group.add(a, client, message, publicCommit(group.place, [keyPackage]))).toBe('roster-refused')
    expect(await memberships()).toBe(1)
  })

  it('is used twice by a member of the room at the expense of nobody else: the others there read on', async () => {
    const group = groupAt(c)
    const [bob] = await world.cast('bob')
    const owner = bob.device.client
    const [mine, his] = [await handed(group), refOf(await claimFor(c, a, bob.user, group.roomId))]
    expect(await group.add(a, owner, welcome([his]))).toBe('received')
    expect(await group.add(a, client, welcome([mine]))).toBe('received')
    expect(await group.remove(a, client)).toBe('received')
    expect(await group.add(a, client, welcome([mine]))).toBe('received')
    const forAnotherRoom = await handed(groupAt(c))
    expect(await group.add(a, client, welcome([forAnotherRoom]))).toBe('received')
    expect(await group.say(a)).toBe('received')
    const now = 'SELECT FROM member m JOIN device d ON d.id = m.device_id WHERE d.client_uri = $1 AND m.until_seq IS NULL'
    expect([await count(now, [owner]), await count(now, [client]), await memberships()]).toEqual([1, 0, 1])
  })

  it('is followed by one Commit of each epoch', async () => {
    const group = groupAt(c)
    const first = group.place
    expect(await group.add(a, client, welcome([await handed(group)]))).toBe('received')
    group.epoch = first.epoch
    expect(await group.commit(a)).toBe('batch-refused')
  })

  it('is the same again if the batch is', async () => {
    const group = groupAt(c)
    const seq = 1
    const said = { roster: [{ seq, client }], welcomes: [{ seq, clients: [client], message: welcome([await handed(group)]) }] }
    const entries = [{ kind: 'commit', epoch: 0, message: privateMessage(group.place, 'commit') }] as const
    const { bytes } = group.batch(a.domain, entries, said)
    const told = await Promise.all([1, 2, 3].map(() => c.ask(a, 'notify', group.roomId, bytes)))
    expect(told.map(({ status, body }) => [status, body[0]])).toEqual([1, 2, 3].map(() => [200, 0]))
    expect(await memberships()).toBe(1)
  })

  it('can be the last resort, which counts for each time that it was handed out', async () => {
    const group = groupAt(c)
    // It would upload others.
    await alice.disconnect()
    await server.pool.query(
      'DELETE FROM key_package k USING device d WHERE d.id = k.device_id AND d.client_uri = $1 AND NOT k.last_resort',
      [client],
    )
    const ref = await handed(group)
    expect(await group.add(a, client, welcome([ref]))).toBe('received')
    expect(await group.remove(a, client)).toBe('received')
    expect(await group.add(a, client, welcome([ref]))).toBe('roster-refused')
    expect(await handed(group)).toEqual(ref)
    expect(await group.add(a, client, welcome([ref]))).toBe('received')
    expect(await groupAt(c).add(a, client, welcome([ref]))).toBe('roster-refused')
  })

  it('can be the last resort, which was handed out twice before the first join by it, also when both joins come in one batch', async () => {
    const group = groupAt(c)
    await alice.disconnect()
    await server.pool.query(
      'DELETE FROM key_package k USING device d WHERE d.id = k.device_id AND d.client_uri = $1 AND NOT k.last_resort',
      [client],
    )
    const ref = await handed(group)
    const isGood = async () => (await handedOutTo(server.pool, group.roomId, [ref])).length > 0
    expect(await handed(group)).toEqual(ref)
    const joins = (seqs: readonly number[]) => ({
      roster: seqs.flatMap((seq) => [
        { seq, client },
        { seq: seq + 1, client, change: 'left' as const },
      ]),
      welcomes: seqs.map((seq) => ({ seq, clients: [client], message: welcome([ref]) })),
    })
    const commits = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => {
        const epoch = from + index
        return { kind: 'commit', epoch, message: privateMessage({ ...group.place, epoch }, 'commit') } as const
      })
    expect(await group.push(a, commits(0, 2), joins([1]))).toBe('received')
    expect(await isGood()).toBe(true)
    expect(await handed(group)).toEqual(ref)
    expect(await group.push(a, commits(2, 4), joins([3, 5]))).toBe('received')
    expect(await isGood()).toBe(false)
    expect(await group.push(a, commits(6, 2), joins([7]))).toBe('roster-refused')
  })

  it('marks nothing else as used, and nothing is stored for nobody', async () => {
    const [bob] = await world.cast('bob')
    const group = groupAt(c)
    const [mine, others] = [await handed(group), refOf(await claimFor(c, a, bob.user, groupAt(c).roomId))]
    const seq = 1
    const welcomes = [welcome([mine, others]), welcome([others]), welcome([Buffer.alloc(32, 3)])].map((message) => {
      return { seq, clients: [client, bob.device.client], message }
    })
    expect(await group.commit(a, { roster: [{ seq, client }], welcomes })).toBe('received')
    expect(await count('SELECT FROM key_package_claim WHERE ref = $1 AND used', [mine])).toBe(1)
    expect(await count('SELECT FROM key_package_claim WHERE ref = $1 AND used', [others])).toBe(0)
    expect(await count('SELECT FROM welcome w JOIN groups g USING (gid) WHERE g.group_id = $1', [group.groupId])).toBe(1)
    expect(
      await count("SELECT FROM inbox i JOIN device d ON d.id = i.device_id WHERE d.client_uri = $1 AND i.kind = 'welcome'", [
        bob.device.client,
      ]),
    ).toBe(0)
  })

  it('comes with entries of no later time than now', async () => {
    const group = groupAt(c)
    const ref = await handed(group)
    const seq = 1
    const entry = {
      kind: 'commit',
      epoch: 0,
      message: privateMessage(group.place, 'commit'),
      acceptedAtMs: 253_400_000_000_000n,
    } as const
    const said = { roster: [{ seq, client }], welcomes: [{ seq, clients: [client], message: welcome([ref]) }] }
    expect(await group.push(a, [entry], said)).toBe('received')
    expect(
      await count('SELECT FROM log l JOIN groups g USING (gid) WHERE g.group_id = $1 AND l.accepted_at > now()', [group.groupId]),
    ).toBe(0)
  })
})

it('keeps what shows joins no longer than a hub may need it', async () => {
  const hash = createHash('sha256').update('old').digest()
  const { rows } = await server.pool.query<{ id: bigint }>('SELECT id FROM device LIMIT 1')
  await server.pool.query(
    "INSERT INTO passed_commit (hash, room_id, device_id, passed_at) VALUES ($1, 'x', $2, now() - interval '31 days')",
    [hash, rows[0]!.id],
  )
  await server.app.get<() => Promise<void>>('federation.purge_v1')()
  expect(await count('SELECT FROM passed_commit WHERE hash = $1', [hash])).toBe(0)
})
