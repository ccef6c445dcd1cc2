import { afterEach, describe, expect, it, jest } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { WorkerPool } from '../../src/platform/workers/worker-pool.js'
import { WORKER_QUEUE_PER_ACCOUNT } from '../../src/platform/workers/worker-time.js'
import { encodeRatchetTree } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'
import { ratchetTree } from '../support/mls/follower.js'

const LEAVES = 4_096
const stage = useStage({ WORKER_TIME_PER_MINUTE: '400ms' })
// A leaf with a certificate is three times as large.
stage.identity = false

afterEach(() => void jest.restoreAllMocks())

/** A Commit as its member would make it, but for a tree that was filled up with one leaf, over and over: some 700 KiB. */
async function hugeCommit(group: Group): Promise<{ commit: Uint8Array; group_info: Uint8Array; ratchet_tree: Uint8Array }> {
  const { bundle } = await draft(group)
  const { leaves, parents } = ratchetTree(bundle.ratchet_tree!)
  const filler = leaves[group.record.state.privatePath.leafIndex]
  const filled = Array.from({ length: LEAVES }, (_, leafIndex) => leaves[leafIndex] ?? filler)
  return { ...bundle, group_info: bundle.group_info!, ratchet_tree: encodeRatchetTree({ leaves: filled, parents }) }
}
/** The status of a Commit that is refused, at once. */
const attempt = async (client: Client, group: Group, bundle: object) => refusal(submit(client, group, bundle as never))

async function refusedBy(limit: string): Promise<number> {
  const { values } = await stage.server.app.get(Metrics).limitsRefused.get()
  return values.find(({ labels }) => labels['limit'] === limit)?.value ?? 0
}

describe('a made-up tree of thousands of leaves', () => {
  it('takes no thread when its signer is not the one who sends it, or has not signed it', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode: 'private' })
    const asked = jest.spyOn(WorkerPool.prototype, 'run')
    const bobs = await hugeCommit(at(bob, group))
    expect(bobs.ratchet_tree.length).toBeGreaterThan(500_000)
    expect(await attempt(alice, group, bobs)).toMatchObject({ status: 403 })
    const own = await hugeCommit(group)
    const forged = new Uint8Array(own.group_info)
    forged[forged.length - 1]! ^= 1
    expect(await attempt(alice, group, { ...own, group_info: forged })).toMatchObject({
      status: 422,
      document: { rule: 'group-info-signature' },
    })
    expect(asked).not.toHaveBeenCalled()
    expect(await attempt(alice, group, own)).toMatchObject({ status: 422, document: { rule: 'tree-hash' } })
    expect(asked).toHaveBeenCalledTimes(1)
  })

  it('costs the account that sends it again and again its own time, and nobody else theirs', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const [group, bobs] = [await stage.group(alice, [], { mode: 'private' }), await stage.group(bob, [], { mode: 'private' })]
    const [huge, other] = [await hugeCommit(group), await hugeCommit(bobs)]
    const asked = jest.spyOn(WorkerPool.prototype, 'run')
    let last = await attempt(alice, group, huge)
    for (let tries = 1; last.status === 422 && tries < 100; tries++) last = await attempt(alice, group, huge)
    expect(last).toMatchObject({ status: 429, kind: 'rate-limited' })
    const before = asked.mock.calls.length
    expect(await attempt(alice, group, huge)).toMatchObject({ status: 429 })
    expect(asked.mock.calls.length).toBe(before)
    expect(await refusedBy('worker-time')).toBeGreaterThanOrEqual(2)
    // Short work continues.
    await submit(alice, group, (await draft(group)).bundle)
    expect(await attempt(bob, bobs, other)).toMatchObject({ status: 422, document: { rule: 'tree-hash' } })
  })

  it('waits in the line of its account, which has an end, and another account is served', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const [group, bobs] = [await stage.group(alice, [], { mode: 'private' }), await stage.group(bob, [], { mode: 'private' })]
    const [huge, other] = [await hugeCommit(group), await hugeCommit(bobs)]
    const many = Array.from({ length: 3 * WORKER_QUEUE_PER_ACCOUNT.value }, async () => (await attempt(alice, group, huge)).status)
    const one = attempt(bob, bobs, other)
    const statuses = await Promise.all(many)
    expect(await one).toMatchObject({ status: 422 })
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0)
  })
})
