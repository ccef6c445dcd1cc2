import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { closeEvidence } from '../../../src/federation/evidence/evidence.repository.js'
import { verifyEvidence } from '../../../src/protocol/evidence/verify-evidence.js'
import { useFederation } from '../../support/federated-world.js'
import type { Provider } from '../../support/federation.js'
import { evidenceOf, heldGroup, noise, push } from './evidence-fixture.js'
import { initialChain, type Batch } from './peer/log.js'

// A hub that signs well and takes back what it has said. Its words are written by the hostile peer's codec, and signed by its own keys.

const federated = useFederation(2)
const started = () => heldGroup(federated)
const stoppedOf = async (follower: Provider, groupId: Uint8Array) =>
  (await follower.pool.query<{ stopped: string | null }>('SELECT stopped FROM followed_group WHERE group_id = $1', [groupId])).rows[0]!
    .stopped

describe('a history that is rewritten by new incarnations', () => {
  const rewritten = (batch: Batch, incarnation: number, ...texts: string[]): Batch => ({
    ...batch,
    incarnation,
    previousChain: initialChain(batch.groupId, incarnation),
    entries: texts.map((text) => noise(batch.groupId, batch.entries[0]!.epoch, text)),
  })

  it('leaves both heads, the hashes of what is gone and an alarm, and stops with the fourth of a day', async () => {
    const { hub, follower, bob, after, groupId, headSeq } = await started()
    const gone = headSeq - 2n
    expect(await push(hub, follower, rewritten(after(2n), 1_000, 'else'))).toEqual({ status: 200, said: 'received' })
    const [kept] = await evidenceOf(follower, groupId)
    expect(kept).toMatchObject({ kind: 'new-incarnation', stops: false, why: `${gone} entries are gone with a new incarnation` })
    expect(verifyEvidence(kept!.document!)).toMatchObject({ kind: 'proven', what: expect.stringContaining(`${gone} more entries`) })
    const { rows } = await follower.pool.query<{ seq: bigint }>(
      'SELECT v.seq FROM vanished_entry v JOIN groups g USING (gid) WHERE g.group_id = $1 ORDER BY 1',
      [groupId],
    )
    expect(rows.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: Number(gone) }, (_, index) => 3 + index))
    await bob.until('the news', () => bob.notices.some(({ kind }) => kind === 'resync'))
    const told = await bob.device.http.get<{ incarnation: number; entries: { seq: number; hash: Uint8Array }[] }>(
      `/v1/groups/${Buffer.from(groupId).toString('base64url')}/log/vanished?limit=2`,
    )
    const hashes = after(2n).entries.map(({ message }) => createHash('sha256').update(message).digest('hex'))
    expect(told.incarnation).toBe(1_000)
    expect(told.entries.map(({ seq, hash }) => [seq, Buffer.from(hash).toString('hex')])).toEqual([
      [3, hashes[0]],
      [4, hashes[1]],
    ])
    await bob.until('the list', () => bob.vanished.length > 0)
    expect(bob.vanished.map(({ hash }) => Buffer.from(hash).toString('hex'))).toEqual(hashes)

    const said: (string | undefined)[] = []
    for (let number = 1_001; number < 1_100; number++)
      said.push((await push(hub, follower, rewritten(after(2n), number, `x${number}`))).said)
    expect(said).toEqual([...Array<string>(2).fill('received'), ...Array<string>(97).fill('stopped')])
    expect(await stoppedOf(follower, groupId)).toBe('rewritten')
    const all = await evidenceOf(follower, groupId)
    expect(all).toHaveLength(4)
    expect(all.at(-1)).toMatchObject({ stops: true, why: expect.stringContaining('within a day') })

    expect(await closeEvidence(follower.pool, all.at(-1)!.id)).toEqual({ closed: true, resumed: true })
    expect(await push(hub, follower, rewritten(after(2n), 1_003, 'let in'))).toEqual({ status: 200, said: 'received' })
    expect(await push(hub, follower, rewritten(after(2n), 1_004, 'not this one'))).toEqual({ status: 200, said: 'stopped' })
    await follower.pool.query("UPDATE incarnation_begun SET at = at - interval '2 days'")
  })

  it.each<[string, (batch: Batch) => Batch, string | undefined]>([
    ['0', (batch) => rewritten(batch, 0, 'else'), undefined],
    [
      'from another chain value than its initial one',
      (batch) => ({ ...rewritten(batch, 2_000, 'else'), previousChain: Buffer.alloc(32) }),
      'batch-refused',
    ],
  ])('does not begin with %s', async (_what, change, problem) => {
    const { hub, follower, after, groupId } = await started()
    expect(await push(hub, follower, change(after(2n)))).toEqual({ status: 422, said: problem ?? 'batch-refused' })
    expect(await evidenceOf(follower, groupId)).toEqual([])
  })

  it('is stopped where it begins before the members here had joined', async () => {
    const { hub, follower, after, groupId } = await started()
    const { rows } = await follower.pool.query<{ joined: bigint }>(
      'SELECT min(from_seq) - 1 AS joined FROM member JOIN groups USING (gid) WHERE group_id = $1',
      [groupId],
    )
    const { joined } = rows[0]!
    const first = { ...after(2n), firstSeq: joined }
    expect(await push(hub, follower, rewritten(first, 3_000, 'else'))).toEqual({ status: 200, said: 'stopped' })
    const [kept] = await evidenceOf(follower, groupId)
    expect(kept).toMatchObject({ stops: true, why: expect.stringMatching(/before the (members|entries)/) })
    const { rowCount } = await follower.pool.query('SELECT FROM member JOIN groups USING (gid) WHERE group_id = $1', [groupId])
    expect(rowCount).toBe(1)
  })

  it('is stopped where more entries of the hub are gone, in all groups together, than are kept of', async () => {
    const { hub, follower, after, groupId } = await started()
    const others = (count: number) =>
      follower.pool.query(
        `INSERT INTO incarnation_begun (gid, incarnation, hub, kept_seq, vanished, at) SELECT 1000000 + n, 1, $1, 1, 1000, now() - interval '20 days' FROM generate_series(1, $2::integer) n`,
        [hub.domain, count],
      )
    await others(1_000)
    expect(await push(hub, follower, rewritten(after(2n), 4_000, 'else'))).toEqual({ status: 200, said: 'stopped' })
    const [kept] = await evidenceOf(follower, groupId)
    expect(kept).toMatchObject({ stops: true, why: expect.stringContaining('entries of the hub') })
    await follower.pool.query('DELETE FROM incarnation_begun')
    await others(900)
    expect(await closeEvidence(follower.pool, kept!.id)).toMatchObject({ closed: true })
    await follower.pool.query('UPDATE followed_group SET accepted_incarnation = NULL')
    expect(await push(hub, follower, rewritten(after(2n), 4_001, 'else'))).toEqual({ status: 200, said: 'received' })
    await follower.pool.query('DELETE FROM incarnation_begun')
  })
})
