import { beforeAll, describe, expect, it } from '@jest/globals'
import { closeEvidence } from '../../../src/federation/evidence/evidence.repository.js'
import { ProviderKeys } from '../../../src/federation/identity/provider-keys.js'
import { DirectoryTimes } from '../../../src/federation/peers/directory-times.js'
import { PeerDirectories } from '../../../src/federation/peers/peer-directories.js'
import { verifyEvidence } from '../../../src/protocol/evidence/verify-evidence.js'
import { eventually } from '../../support/eventually.js'
import { useFederation } from '../../support/federated-world.js'
import { showDirectory } from '../../support/shown-directory.js'
import { at } from '../../support/world.js'
import { evidenceOf, heldGroup, noise, push, rotate, strangeProposal } from './evidence-fixture.js'
import { nextChain, type Batch, type Head } from './peer/log.js'

// A hub that signs well and contradicts itself. Its words are written by the hostile peer's codec, and signed by its own keys.

const federated = useFederation(2)
const started = () => heldGroup(federated)
// Each look at a directory is a new one, as if time had passed.
beforeAll(() => federated.providers.forEach(({ app }) => void Object.assign(app.get(DirectoryTimes), { memory: 0, again: -1 })))

describe('two histories', () => {
  it('are stopped, with proof that outlives the keys', async () => {
    const { hub, follower, after, groupId, epoch } = await started()
    const lie = { ...after(2n), entries: [noise(groupId, epoch, 'never said')] }
    expect(await push(hub, follower, lie)).toEqual({ status: 200, said: 'stopped' })
    const [kept] = await evidenceOf(follower, groupId)
    expect(kept).toMatchObject({ kind: 'two-histories', stops: true, document: expect.any(String) })
    expect(verifyEvidence(kept!.document!)).toMatchObject({ kind: 'proven', what: expect.stringContaining('differ at seq 3') })

    // The hub's keys go, and with them what the follower knew of them.
    await rotate(hub, follower, 3_600_000)
    await hub.pool.query("UPDATE provider_key SET published_until = now() - interval '1 second' WHERE signs_until IS NOT NULL")
    await follower.pool.query('DELETE FROM peer_key')
    await follower.pool.query('DELETE FROM kept_directory')
    const [again] = await evidenceOf(follower, groupId)
    expect(verifyEvidence(again!.document!)).toMatchObject({ kind: 'proven' })
    expect(await push(hub, follower, after(2n)).catch(() => undefined)).not.toMatchObject({ said: 'received' })
  })

  it('are proven across a rotation, by directories that lead from one key to the other', async () => {
    const { hub, follower, after, groupId, epoch } = await started()
    await rotate(hub, follower, 3_600_000)
    const lie = { ...after(2n), entries: [noise(groupId, epoch, 'never said')] }
    const said = await eventually(
      () => push(hub, follower, lie),
      (answer) => answer.status === 200,
    )
    expect(said).toEqual({ status: 200, said: 'stopped' })
    const [kept] = await evidenceOf(follower, groupId)
    const verdict = verifyEvidence(kept!.document!)
    if (verdict.kind !== 'proven') throw new Error(verdict.why)
    const [one, other] = verdict.signers
    expect(one.key.keyId).not.toBe(other.key.keyId)
  })

  it('can be proven by each directory that was in force, also where only the end of a key differs', async () => {
    const { hub, follower } = await started()
    const [key] = await hub.app.get(ProviderKeys).published()
    const kept = async () => {
      const { rows } = await follower.pool.query('SELECT FROM kept_directory WHERE domain = $1 AND changed', [hub.domain])
      return rows.length
    }
    const before = await kept()
    for (const [index, notAfter] of [new Date(Date.now() + 600_000), undefined].entries()) {
      await showDirectory(hub, hub, { keys: [{ ...key!, notAfter }] })
      await follower.pool.query("UPDATE peer SET fetched_at = now() - interval '2 hours' WHERE domain = $1", [hub.domain])
      const shown = await eventually(
        async () => (await follower.app.get(PeerDirectories, { strict: false }).of(hub.domain), kept()),
        (found) => found > before + index,
      )
      expect(shown).toBe(before + index + 1)
    }
    hub.proxy.fault = 'none'
  })

  it('are found by the place before a batch, and by an entry after a gap that does not follow', async () => {
    const first = await started()
    const wrongStart = { ...first.after(2n), previousChain: Buffer.alloc(32, 9) }
    expect(await push(first.hub, first.follower, wrongStart)).toEqual({ status: 200, said: 'stopped' })
    const second = await started()
    const { after, headSeq, groupId, epoch } = second
    const gap: Batch = {
      ...after(headSeq - 1n),
      gap: 'retired',
      firstSeq: headSeq + 1n,
      previousChain: Buffer.alloc(32, 9),
      entries: [noise(groupId, epoch, 'after'), noise(groupId, epoch, 'the gap')],
    }
    expect(await push(second.hub, second.follower, gap)).toEqual({ status: 200, said: 'stopped' })
    for (const { follower, groupId: id } of [first, second]) {
      const [kept] = await evidenceOf(follower, id)
      expect(verifyEvidence(kept!.document!)).toMatchObject({ kind: 'proven' })
    }
  })

  it('end when the operator has closed the evidence, for a batch that continues what is stored, and come back with the next lie', async () => {
    const { hub, follower, after, groupId, epoch, headSeq } = await started()
    const lie = { ...after(2n), entries: [noise(groupId, epoch, 'never said')] }
    await push(hub, follower, lie)
    expect(await push(hub, follower, after(2n))).toEqual({ status: 200, said: 'stopped' })
    const [kept] = await evidenceOf(follower, groupId)
    expect(await closeEvidence(follower.pool, kept!.id)).toEqual({ closed: true, resumed: true })
    expect(await push(hub, follower, after(2n))).toEqual({ status: 200, said: 'received' })
    expect(await push(hub, follower, lie)).toEqual({ status: 200, said: 'stopped' })
    expect(await evidenceOf(follower, groupId)).toHaveLength(2)
    expect(headSeq).toBeGreaterThan(3n)
  })

  it('in another room are refused and kept, and in another mode are stopped', async () => {
    const { hub, follower, after, groupId } = await started()
    const elsewhere = { ...after(2n), room: `mimi://${hub.domain}/r/other` }
    for (let times = 0; times < 3; times++) expect(await push(hub, follower, elsewhere)).toEqual({ status: 409, said: 'home-elsewhere' })
    const mode = after(2n).mode === 'public' ? 'private' : 'public'
    expect(await push(hub, follower, { ...after(2n), mode })).toEqual({ status: 200, said: 'stopped' })
    const kept = await evidenceOf(follower, groupId)
    expect(kept.map(({ kind, stops }) => [kind, stops])).toEqual([
      ['two-rooms', false],
      ['two-modes', true],
    ])
    for (const { document } of kept) expect(verifyEvidence(document!)).toMatchObject({ kind: 'proven' })
  })
})

it.each<[string, (head: { room: string }) => Partial<Head>]>([
  ['another hub', () => ({ hub: 'c.example' })],
  ['another follower', () => ({ follower: 'c.example' })],
  ['another room', () => ({ room: 'mimi://a.example/r/other' })],
  ['another group', () => ({ groupId: Buffer.from('other') })],
  ['another mode', () => ({ mode: 'private' })],
  ['another incarnation', () => ({ incarnation: 9 })],
  ['another place', () => ({ seq: 9n })],
  ['another chain', () => ({ chain: Buffer.alloc(32) })],
  ['a time that has passed', () => ({ signedAtMs: BigInt(Date.now() - 400_000) })],
  ['a time to come', () => ({ signedAtMs: BigInt(Date.now() + 400_000) })],
  ['an entry after a gap that it has not', () => ({ resumed: Buffer.alloc(81, 1) })],
])('a head that was signed for %s is no head of the batch', async (_what, wrong) => {
  const { hub, follower, after } = await shared()
  const batch = after(2n)
  expect(await push(hub, follower, batch, wrong(batch))).toEqual({ status: 422, said: 'batch-refused' })
  expect(await push(hub, follower, batch)).toEqual({ status: 200, said: 'received' })
})

let group: ReturnType<typeof started> | undefined
const shared = () => (group ??= started())

it('an entry with a proposal of an unknown type is stored, and what follows it', async () => {
  const { hub, follower, bob, group: at2, after, groupId, epoch, headSeq } = await started()
  const entries = [strangeProposal(groupId, epoch), noise(groupId, epoch, 'after it')]
  const previousChain = nextChain(after(headSeq - 1n).previousChain, headSeq, after(headSeq - 1n).entries[0]!)
  const batch = { ...after(headSeq - 1n), firstSeq: headSeq + 1n, previousChain, entries }
  expect(await push(hub, follower, batch)).toEqual({ status: 200, said: 'received' })
  const { rows } = await follower.pool.query<{ seq: bigint; kind: string }>(
    'SELECT l.seq, l.kind FROM log l JOIN groups g USING (gid) WHERE g.group_id = $1 AND l.seq > $2 ORDER BY 1',
    [groupId, headSeq],
  )
  expect(rows).toEqual([
    { seq: headSeq + 1n, kind: 'p' },
    { seq: headSeq + 2n, kind: 'a' },
  ])
  expect(at(bob, at2).texts).toEqual(['one', 'two', 'three'])
  const wrongEpoch = { ...batch, firstSeq: headSeq + 3n, entries: [{ ...strangeProposal(groupId, epoch), epoch: epoch + 1n }] }
  expect(await push(hub, follower, wrongEpoch)).toEqual({ status: 422, said: 'batch-refused' })
  expect(await push(hub, follower, { ...wrongEpoch, entries: [{ ...strangeProposal(groupId, epoch), kind: 'commit' }] })).toEqual({
    status: 422,
    said: 'batch-refused',
  })
})
