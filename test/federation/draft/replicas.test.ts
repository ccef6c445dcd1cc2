import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import { proposalsOf } from '../../../src/federation/draft/follower/draft-replica.repository.js'
import { ForgottenReplicas } from '../../../src/federation/quotas/forgotten-replicas.js'
import { eventually } from '../../support/eventually.js'
import { draftUser, useDraftWorld } from './draft-world.js'
import type { Chat } from './peer/chat.js'
import { bytes, opaque, u16, u64, u8 } from './peer/codec.js'
import { encodeFanout, type Fanout } from './peer/room-bodies.js'

// What a hub of the draft can bring about in the copies of its groups here, however it orders, repeats and fills.

const MIB = 1_048_576
/** Numbers of RFC 9420 §6 and §17.2. */
const [MLS_1_0, PRIVATE_MESSAGE, APPLICATION] = [1, 2, 1]

/** An application message that nobody can read. */
function garbage(groupId: Uint8Array, epoch: number | bigint, size: number): Fanout {
  const place = bytes(opaque(groupId), u64(epoch), u8(APPLICATION), opaque(''))
  const message = bytes(u16(MLS_1_0), u16(PRIVATE_MESSAGE), place, opaque(randomBytes(28)), opaque(randomBytes(size)))
  return { timestamp: BigInt(Date.now()), kind: 'application', message }
}

describe('the copy of a group of a hub of the draft', () => {
  const draft = useDraftWorld({ FEDERATION_BYTES_PER_MINUTE: '1GiB' })

  const notify = (room: string, ...fanouts: readonly Fanout[]) =>
    draft.b.caller.post('a.example', 'notify', room, bytes(...fanouts.map(encodeFanout)))
  const one = async <T>(text: string, ...values: unknown[]): Promise<T> =>
    (await draft.server.pool.query<{ value: T }>(text, values)).rows[0]?.value as T
  const entries = (room: string) =>
    one<number>('SELECT count(*)::int AS value FROM log l JOIN groups g USING (gid) WHERE g.room_id = $1', room)

  async function inGroup(client: Client, chat: Chat, room: string) {
    const { groupId } = chat.device.group(room)
    await client.until('joining', () => client.store.group(groupId)?.standing === 'member')
    return client.group(groupId)
  }

  /** A room at b.example, into which bob puts users of a.example. */
  async function roomAtB(name: string, ...users: Client[]) {
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await bob!.createRoom(`${name}-${bob!.device.user.split('/u/')[1]}`)
    await bob!.add(room, ...users.map(({ user }) => user))
    await eventually(() => one<bigint | undefined>('SELECT gid AS value FROM groups WHERE room_id = $1', room), Boolean)
    return { bob: bob!, room, groupId: bob!.device.group(room).groupId }
  }

  /** A user whose device is away. */
  async function offline(): Promise<Client> {
    const [alice] = await draft.world.cast('alice')
    await alice.disconnect()
    return alice
  }

  it('has no epoch that is no number of JSON', async () => {
    const { room, groupId } = await roomAtB('epochs', await offline())
    const before = await entries(room)
    for (const epoch of [2n ** 53n - 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      const message = garbage(groupId, epoch, 10)
      for (const fanout of [message, { ...message, kind: 'commit', others: [] } as Fanout])
        expect((await notify(room, fanout)).status).toBe(422)
    }
    expect(await entries(room)).toBe(before)
    expect((await notify(room, garbage(groupId, 2n ** 53n - 2n, 10))).status).toBe(201)
  })

  it('takes no unsigned entry once its entries are those of the profile, which the hub signs', async () => {
    const { room, groupId } = await roomAtB('downgrade', await offline())
    const before = await entries(room)
    await draft.server.pool.query("UPDATE followed_group SET dialect = 'profile' WHERE room_id = $1", [room])
    expect((await notify(room, garbage(groupId, 1, 10))).status).toBe(409)
    expect(await entries(room)).toBe(before)
    await draft.server.pool.query("UPDATE followed_group SET dialect = 'draft' WHERE room_id = $1", [room])
    expect((await notify(room, garbage(groupId, 1, 10))).status).toBe(201)
    expect(await entries(room)).toBe(before + 1)
  })

  it('takes a megabyte of ten, as long as nobody has fetched the Welcome, and the hub hears when to try again', async () => {
    const alice = await offline()
    const { bob, room, groupId } = await roomAtB('filled', alice)
    const answers = []
    for (let index = 0; index < 10; index++)
      answers.push(await notify(room, ...Array.from({ length: 4 }, () => garbage(groupId, 1, 250_000))))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThanOrEqual(9)
    for (const { headers } of refused) expect(headers['retry-after']).toBe('300')
    expect(await one<number>('SELECT bytes::int AS value FROM groups WHERE room_id = $1', room)).toBeLessThan(MIB)
    // What is counted is what there is.
    const counted = await one<bigint>('SELECT bytes AS value FROM peer_storage WHERE domain = $1', 'b.example')
    expect(counted).toBe(
      await one<bigint>('SELECT sum(held_bytes(p_gid => gid))::bigint AS value FROM replica_storage WHERE hub = $1', 'b.example'),
    )
    // Other groups of the hub are not concerned, and this one goes on once the Welcome was fetched.
    const { room: other, groupId: otherId } = await roomAtB('beside', await offline())
    expect((await notify(other, garbage(otherId, 1, 1_000))).status).toBe(201)
    alice.connect()
    await inGroup(alice, bob, room)
    const more = garbage(groupId, 1, 250_000)
    await eventually(
      async () => (await notify(room, more)).status,
      (status) => status === 201,
    )
  })

  it('keeps the tree of a Welcome once, for however many devices it is', async () => {
    const [alice] = await draft.world.cast('alice')
    const others = await Promise.all(['laptop', 'tablet'].map((device) => draft.world.unknown(alice.user.split('/u/')[1]!, device)))
    for (const { device } of others) await alice.device.enrol(device)
    for (const { device } of others) await device.publishKeyPackages(1)
    const { room } = await roomAtB('devices', alice)
    const trees = 'SELECT count(*)::int AS value FROM draft_tree t JOIN groups g USING (gid) WHERE g.room_id = $1'
    expect(await one<number>(trees, room)).toBe(1)
    expect(
      await one<number>('SELECT count(*)::int AS value FROM draft_member d JOIN groups g USING (gid) WHERE g.room_id = $1', room),
    ).toBe(3)
  })

  it('is forgotten with its trees when nobody has taken it up, says nothing to what comes then, and is back with another Welcome', async () => {
    const alice = await offline()
    const { bob, room, groupId } = await roomAtB('forgotten', alice)
    const { pool, app } = draft.server
    const gid = await one<bigint>('SELECT gid AS value FROM groups WHERE room_id = $1', room)
    const rows = `SELECT (SELECT count(*) FROM draft_tree WHERE gid = $1) + (SELECT count(*) FROM draft_member WHERE gid = $1)
                       + (SELECT count(*) FROM inbox WHERE gid = $1) + (SELECT count(*) FROM groups WHERE gid = $1) AS value`
    expect(await one<bigint>(rows, gid)).toBe(4n)
    await pool.query("UPDATE replica_storage SET invited_at = invited_at - interval '91 days' WHERE gid = $1", [gid])
    await app.get(ForgottenReplicas).run()
    expect(await one<bigint>(rows, gid)).toBe(0n)
    expect((await notify(room, garbage(groupId, 1, 10))).status).toBe(201)
    expect(await one<bigint>('SELECT count(*) AS value FROM followed_group WHERE room_id = $1', room)).toBe(0n)
    await bob.removeUser(room, alice.user)
    await bob.add(room, alice.user)
    alice.connect()
    const group = await inGroup(alice, bob, room)
    expect(group.record.groupId).toEqual(new Uint8Array(groupId))
  })

  it('has its waiting Proposals read up to four megabytes, however many a hub has sent', async () => {
    const { room } = await roomAtB('proposals', await offline())
    const gid = await one<bigint>('SELECT gid AS value FROM groups WHERE room_id = $1', room)
    await draft.server.pool.query(
      `INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
       SELECT $1, 100 + n, 'p', 5, now(), sha256(int4send(n)), sha256(int4send(n)), decode(repeat('00', 1000000), 'hex') FROM generate_series(1, 8) n`,
      [gid],
    )
    expect((await proposalsOf(draft.server.pool, gid, 5n)).length).toBe(4)
  })

  it('never falls back in its epoch', async () => {
    const { bob, room, groupId } = await roomAtB('epoch', await offline())
    const own = bob.device.group(room)
    const { message } = await own.commit([])
    own.settle(true)
    expect((await notify(room, garbage(groupId, 9, 10))).status).toBe(201)
    expect((await notify(room, { timestamp: 1n, kind: 'commit', message, others: [] })).status).toBe(422)
    expect(await one<number>('SELECT epoch::int AS value FROM groups WHERE room_id = $1', room)).toBe(9)
  })

  it('is written by one request after the other, and those that wait hold no connection', async () => {
    const { room, groupId } = await roomAtB('queue', await offline())
    const waiting = `SELECT count(*)::int AS value FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
    const holder = await draft.server.pool.connect()
    await holder.query('BEGIN')
    await holder.query("SELECT pg_advisory_xact_lock(hashtextextended('draft room ' || $1, 0))", [room])
    const answers = Array.from({ length: 12 }, () => notify(room, garbage(groupId, 1, 10)))
    const most = await eventually(
      () => one<number>(waiting),
      (count) => count > 0,
    )
    const [dave] = await draftUser(draft.c, 'dave')
    const beside = await dave!.createRoom('beside')
    const fanout = bytes(encodeFanout(garbage(dave!.device.group(beside).groupId, 1, 10)))
    for (let index = 0; index < 12; index++) expect((await draft.c.caller.post('a.example', 'notify', beside, fanout)).status).toBe(201)
    const held = await one<number>(waiting)
    await holder.query('COMMIT')
    holder.release()
    expect(Math.max(most, held)).toBe(1)
    // Who waits as long as a lock may take is asked to come again.
    for (const { status } of await Promise.all(answers)) expect([201, 503]).toContain(status)
    expect((await notify(room, garbage(groupId, 1, 10))).status).toBe(201)
  })

  it('takes 64 messages in a request, and keeps those before one that is refused', async () => {
    const { room, groupId } = await roomAtB('many', await offline())
    const before = await entries(room)
    const many = Array.from({ length: 65 }, () => garbage(groupId, 1, 10))
    expect((await notify(room, ...many)).status).toBe(422)
    expect(await entries(room)).toBe(before)
    const foreign = garbage(Buffer.from('mimi://b.example/g/other'), 1, 10)
    expect((await notify(room, ...many.slice(0, 3), foreign, ...many.slice(3, 6))).status).toBe(422)
    expect(await entries(room)).toBe(before + 3)
    expect((await notify(room, ...many.slice(0, 64))).status).toBe(201)
    expect(await entries(room)).toBe(before + 64)
  })
})
