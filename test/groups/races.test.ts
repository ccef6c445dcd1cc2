import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { submitCommit } from '../../src/groups/repository/submissions.repository.js'
import { mergePending } from '../../examples/client/entries.js'
import { startServer } from '../support/server.js'
import { GENEROUS } from '../support/world.js'
import { commitOf } from '../ordering/submission-fixture.js'
import { untilBlocked } from '../key-packages/key-package-fixture.js'
import { at, draft, refusal, submit, useStage } from './group-fixture.js'

const stage = useStage()

/** A Commit of another node that has written everything and not yet committed: it removes `out`. */
async function uncommittedRemoval(group: Group, by: Client, out: Client) {
  const [gid, deviceId, removed] = [await stage.gid(group), await stage.deviceId(by), await stage.deviceId(out)]
  const sql = await stage.pool.connect()
  await sql.query('BEGIN')
  const { rows } = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const epoch = BigInt(group.epoch)
  const outcome = await submitCommit(sql, commitOf(gid, deviceId, epoch, { removed: [{ deviceId: removed, reason: 'removed' }] }))
  expect(outcome.kind).toBe('accepted')
  const commit = async () => {
    await sql.query('COMMIT')
    sql.release()
  }
  return { commit, blocked: () => untilBlocked(stage.pool, rows[0]!.pid) }
}

describe('what waits behind an uncommitted Remove', () => {
  it('an application message of the removed device, is refused once the Remove is there', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    const removal = await uncommittedRemoval(group, alice, bob)
    const answer = refusal(at(bob, group).send('let me in'))
    await removal.blocked()
    await removal.commit()
    expect(await answer).toMatchObject({ status: 403, kind: 'not-a-member' })
    expect(await stage.log(group)).toEqual(['c0', 'c1'])
  })

  it('a Commit of the removed device, is refused, too, and one of a member has lost the epoch', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    const removal = await uncommittedRemoval(group, alice, bob)
    const bobs = refusal(submit(bob, group, (await draft(at(bob, group))).bundle))
    await removal.blocked()
    const carols = refusal(submit(carol, group, (await draft(at(carol, group))).bundle))
    await removal.commit()
    expect(await bobs).toMatchObject({ status: 403, kind: 'not-a-member' })
    expect(await carols).toMatchObject({ status: 409, kind: 'stale-epoch', document: { current_epoch: 2, entries: [{ seq: 2 }] } })
  })
})

describe('a Commit that is sent again while it is under way', () => {
  it('[I5] is accepted once, and each answer is that acceptance', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    const { bundle } = await draft(group)
    const [first, ...again] = await Promise.all(Array.from({ length: 4 }, () => submit(alice, group, bundle)))
    expect(first).toMatchObject({ seq: 1, epoch: 1 })
    expect(again).toEqual([first, first, first])
    expect(await stage.log(group)).toEqual(['c0'])
  })
})

describe('Commits of one epoch that race over two nodes', () => {
  it('have exactly one winner, and the losers agree on what they missed', async () => {
    const second = await startServer(GENEROUS, {
      database: { url: stage.server.config.DATABASE_URL ?? '', pool: stage.pool, drop: async () => undefined },
    })
    try {
      const clients = await stage.cast('a', 'b', 'c', 'd')
      const group = await stage.group(clients[0], clients.slice(1))
      for (let round = 0; round < 6; round++) {
        const drafts = await Promise.all(clients.map(async (client) => ({ client, made: await draft(at(client, group)) })))
        const base = (index: number) => (index % 2 === 0 ? stage.server.url : second.url)
        const answers = await Promise.all(
          drafts.map(({ client, made }, index) => fetchCommit(base(index), client, group.path, made.bundle)),
        )
        expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409])
        expect(new Set(answers.filter(({ status }) => status === 409).map(({ body }) => body['current_epoch']))).toEqual(
          new Set([at(clients[0], group).epoch + 1]),
        )
        await stage.sync(...clients.filter((_, index) => answers[index]!.status === 409))
        const winner = drafts[answers.findIndex(({ status }) => status === 200)]!
        const { record } = at(winner.client, group)
        record.pending = winner.made
        mergePending(record)
        record.cursor = Number(answers.find(({ status }) => status === 200)!.body['seq'])
        expect(new Set(clients.map((client) => at(client, group).epochAuthenticator)).size).toBe(1)
      }
      expect(await stage.log(group)).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6'])
    } finally {
      await second.close()
    }
  })
})

async function fetchCommit(base: string, client: Client, path: string, bundle: Parameters<typeof submit>[2]) {
  const json = JSON.stringify(bundle, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('base64url') : value,
  )
  const response = await fetch(`${base}${path}/commits`, {
    method: 'POST',
    body: json,
    headers: { 'content-type': 'application/json', ...client.device.http.credentials('POST', `${base}${path}/commits`) },
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
