import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { SignedClient } from '../../src/federation/outbound/signed-client.js'
import { encodeNotifyBatch, type NotifyBatch } from '../../src/protocol/mimi/microchat/notify-batch.js'
import { decodeNotifyResponse } from '../../src/protocol/mimi/microchat/notify-response.js'
import { Batches } from '../../src/federation/push/batches.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { useFederation } from '../support/federated-world.js'
import { federationSettings } from '../support/federation.js'
import { freePort } from '../support/free-port.js'
import { GENEROUS } from '../support/generous.js'
import { everyoneHasRead } from '../support/readings.js'
import { signedBatch } from '../support/signed-batch.js'
import { spawnServer, startServer } from '../support/server.js'
import { agreed, at, heard, World } from '../support/world.js'

describe('a hub that dies between accepting and pushing', () => {
  let database: TestDatabase
  beforeAll(async () => void (database = await createTestDatabase()))
  afterAll(() => database.drop())

  it('pushes when it is back, without waiting for anything new', async () => {
    const [hub, follower] = await federationSettings(2)
    const port = await freePort()
    const environment = { ...GENEROUS, ...hub!.settings, PORT: String(port) }
    hub!.proxy.target = `http://127.0.0.1:${port}`
    let server = await spawnServer(database.url, environment)
    const peer = await startServer({ ...GENEROUS, ...follower!.settings })
    follower!.proxy.target = peer.url
    const [home, away] = [new World(hub!.proxy.url, 'a.example'), new World(peer.url, 'b.example')]
    const [alice] = await home.cast('alice')
    const [bob] = await away.cast('bob')
    const group = await home.group(alice, [bob])
    await agreed([bob], group)

    follower!.proxy.fault = 'cut'
    await group.send('last words')
    await alice.disconnect()
    await server.stop('SIGKILL')
    follower!.proxy.fault = 'none'
    expect(at(bob, group).texts).toEqual([])

    server = await spawnServer(database.url, environment)
    await heard([bob], group, ['last words'])
    await everyoneHasRead([alice, bob], [database.pool, peer.pool])

    await Promise.all([home.disconnect(), away.disconnect()])
    await Promise.all([server.stop('SIGTERM'), peer.close()])
    await Promise.all([hub!.proxy.close(), follower!.proxy.close()])
  })
})

const recovered = async (pool: TestDatabase['pool']): Promise<number> =>
  (await pool.query<{ incarnation: number }>('SELECT incarnation FROM recovered()')).rows[0]!.incarnation

describe('databases that are restored', () => {
  const federated = useFederation(2)
  const cast = async () => {
    const [home, away] = federated.worlds as [World, World]
    const [[alice], [bob]] = await Promise.all([home.cast('alice'), away.cast('bob')])
    const group = await home.group(alice, [bob])
    await agreed([bob], group)
    return { alice, bob, group }
  }

  it('at a follower: it says how far it is, and gets the rest again', async () => {
    const { bob, group } = await cast()
    for (const text of ['one', 'two', 'three']) await group.send(text)
    await heard([bob], group, ['one', 'two', 'three'])
    const { pool } = federated.providers[1]!
    const gid = '(SELECT gid FROM groups WHERE group_id = $1)'
    const id = [group.record.groupId]
    await pool.query(
      `UPDATE groups SET head_seq = 2, head_chain = (SELECT chain FROM log WHERE gid = ${gid} AND seq = 2) WHERE group_id = $1`,
      id,
    )
    await pool.query(`DELETE FROM log WHERE gid = ${gid} AND seq > 2`, id)
    await group.send('four')
    await heard([bob], group, ['one', 'two', 'three', 'four'])
    const { rows } = await pool.query(`SELECT seq FROM log WHERE gid = ${gid} ORDER BY seq`, id)
    expect(rows.map(({ seq }) => Number(seq))).toEqual([1, 2, 3, 4, 5])
  })

  it('at the hub: the log continues in a new incarnation, and the follower with it', async () => {
    const { bob, group } = await cast()
    await group.send('one')
    await heard([bob], group, ['one'])
    const [hub, follower] = federated.providers
    const message = await at(bob, group).encrypt('of the time before', at(bob, group).epoch)
    const fresh = await recovered(hub!.pool)
    const refused = bob.device.http.postMessage(`${group.path}/messages`, message, 1)
    await expect(refused).rejects.toMatchObject({ status: 409, kind: 'incarnation-changed', document: { incarnation: fresh } })
    const incarnation = async () => {
      // A peer that failed on a busy machine is left alone for a while, unless it is heard of.
      await bob.device.http.get(group.path)
      const { rows } = await follower!.pool.query<{ incarnation: number }>('SELECT incarnation FROM groups WHERE group_id = $1', [
        group.record.groupId,
      ])
      return rows[0]!.incarnation
    }
    expect(await eventually(incarnation, (seen) => seen === fresh)).toBe(fresh)
    await bob.until('the news', () => bob.notices.some(({ kind }) => kind === 'resync'))
  })

  it('at the hub, while the follower is cut off: it gets each incarnation by itself, and the end once', async () => {
    const { group } = await cast()
    const [hub, follower] = federated.providers
    await hub!.pool.query("UPDATE peer_cursor SET stopped = 'by the test'")
    for (const text of ['one', 'two']) await group.send(text)
    // Alice was at the end of the log: her state is that of the restored group.
    group.record.incarnation = await recovered(hub!.pool)
    await group.send('three')
    const last = await recovered(hub!.pool)
    group.record.incarnation = last
    await group.send('four')
    await hub!.pool.query('UPDATE peer_cursor SET stopped = NULL')
    const replica = `SELECT g.incarnation, array_agg(encode(l.chain, 'hex') ORDER BY l.seq) AS chains FROM groups g JOIN log l USING (gid)
                      WHERE g.group_id = $1 AND l.seq <= 5 GROUP BY g.gid`
    const read = async (pool: (typeof federated.providers)[number]['pool']) =>
      (await pool.query<{ incarnation: number; chains: string[] }>(replica, [group.record.groupId])).rows[0]
    const seen = await eventually(
      () => read(follower!.pool),
      (now) => now?.incarnation === last && now.chains.length === 5,
    )
    expect(seen).toEqual(await read(hub!.pool))
    // What comes a second time is known, also across the place where an incarnation begins.
    const id = [group.record.groupId]
    await hub!.pool.query('UPDATE peer_cursor c SET acked = 4 FROM groups g WHERE g.gid = c.gid AND g.group_id = $1', id)
    const ended = `SELECT c.stopped FROM peer_cursor c JOIN groups g USING (gid)
                    WHERE g.group_id = $1 AND (c.acked >= g.head_seq OR c.stopped IS NOT NULL)`
    const { rows } = await eventually(
      () => hub!.pool.query<{ stopped: string | null }>(ended, id),
      (now) => now.rows.length > 0,
    )
    expect(rows).toMatchObject([{ stopped: null }])
    expect((await follower!.pool.query('SELECT 1 FROM evidence WHERE stops')).rows).toEqual([])
  })
})

describe('a hub that shows two histories', () => {
  const federated = useFederation(2)

  it('is stopped, with both of its signatures kept', async () => {
    const [home, away] = federated.worlds as [World, World]
    const [[alice], [bob]] = await Promise.all([home.cast('alice'), away.cast('bob')])
    const group = await home.group(alice, [bob])
    await agreed([bob], group)
    await group.send('the truth')
    await heard([bob], group, ['the truth'])
    const [hub, follower] = federated.providers
    const { rows } = await hub!.pool.query<{ gid: bigint }>('SELECT gid FROM groups WHERE group_id = $1', [group.record.groupId])
    const { batch } = (await hub!.app.get(Batches).next('b.example', rows[0]!.gid, { after: 1n }))!
    const lie: NotifyBatch = { ...batch, previousChain: new Uint8Array(32).fill(9) }
    const answer = await send(lie)
    expect(answer).toMatchObject({ code: 'stopped' })
    const kept = await follower!.pool.query<{ kind: string; seq: bigint; document: string | null }>(
      'SELECT kind, seq, document FROM evidence',
    )
    expect(kept.rows).toMatchObject([{ kind: 'two-histories', seq: 1n, document: expect.any(String) }])

    await group.send('more of it')
    const stopped = () => hub!.pool.query<{ stopped: string | null }>('SELECT stopped FROM peer_cursor')
    expect((await eventually(stopped, (seen) => seen.rows[0]?.stopped !== null)).rows[0]!.stopped).toContain('stopped following')
    expect(at(bob, group).texts).toEqual(['the truth'])
    federated.staysBehind(bob)
  })

  async function send(batch: NotifyBatch) {
    const [hub, follower] = federated.providers
    const body = encodeNotifyBatch(await signedBatch(hub!, follower!, batch))
    const answer = await hub!.app.get(SignedClient).send({ peer: 'b.example', endpoint: 'notify', argument: batch.roomId, body })
    if (answer.kind !== 'answered') throw new Error(answer.kind)
    const decoded = decodeNotifyResponse(answer.body)
    return decoded.kind === 'decoded' ? decoded.value : decoded
  }
})
