import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { toBase64Url } from '../../examples/client/wire.js'
import { reportedCommits } from '../../src/groups/reset/reported-commits.js'
import { cli } from '../support/cli.js'
import { testEnvironment } from '../support/server.js'
import { useStage } from './groups-kit.js'

const stage = useStage()

const report = (client: Client, group: Group, seq: number, reason: string) =>
  client.device.http.post(`${group.path}/reports`, { seq, reason })

describe('reported Commits', () => {
  it('are shown to the operator with counts by reason, the latest first, without a name', async () => {
    const [alice, bob, carol, dave] = await stage.cast('alice', 'bob', 'carol', 'dave')
    const policy = { reports_to_reset: 2, external_join: 'none' } as const
    const first = await stage.group(alice, [bob, carol, dave], { policy, room: `first-${randomUUID().slice(0, 8)}` })
    await first.update()
    const second = await stage.group(alice, [bob], { policy, room: `second-${randomUUID().slice(0, 8)}` })
    await report(bob, first, 2, 'undecryptable')
    await report(carol, first, 2, 'undecryptable')
    await report(dave, first, 2, 'bad-confirmation-tag')
    await report(bob, second, 1, 'other')
    await first.remove(dave.uri)

    const { code, out } = await cli('groups reports', testEnvironment(stage.server.config.DATABASE_URL ?? ''))
    expect(code).toBe(0)
    const lines = out.trim().split('\n')
    expect(lines).toEqual([
      expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]+Z {2}mimi:/),
      expect.stringContaining('bad-confirmation-tag 1, undecryptable 2. 2 of 2 users for a reset: any member may reset it.'),
    ])
    expect(lines[0]).toContain(`group ${toBase64Url(second.record.groupId)}, seq 1, epoch 0: other 1. 1 of 2 users for a reset.`)
    expect(lines[1]).toContain(`group ${toBase64Url(first.record.groupId)}, seq 2, epoch 1: `)
    for (const { user } of [alice, bob, carol, dave]) expect(out).not.toContain(user)

    await bob.device.http.post(`${first.path}/reset`)
    expect((await cli('groups reports --limit 1', testEnvironment(stage.server.config.DATABASE_URL ?? ''))).out.trim()).toBe(lines[0])
    const [, reset] = await reportedCommits(stage.pool, 2)
    expect(reset).toMatchObject({ frozen: 'reset', users: 2, needed: 2, reasons: { undecryptable: 2, 'bad-confirmation-tag': 1 } })
    await second.delete()
    expect(await reportedCommits(stage.pool, 9)).toHaveLength(1)
  })

  it('are at most as many as asked for, which is a number', async () => {
    for (const limit of ['0', 'x', '1001']) {
      const { code, err } = await cli(`groups reports --limit ${limit}`, testEnvironment(stage.server.config.DATABASE_URL ?? ''))
      expect([code, err.trim()]).toEqual([1, '--limit takes a number from 1 to 1000.'])
    }
  })
})
