import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { toBase64Url } from '../../examples/client/wire.js'
import { countReports, reportedCommits } from '../../src/groups/reset/reports.repository.js'
import { cli } from '../support/cli.js'
import { testEnvironment } from '../support/server.js'
import { refusal, useStage } from './group-fixture.js'

const stage = useStage()

const report = (client: Client, group: Group, seq: number, reason: string) =>
  client.device.http.post(`${group.path}/reports`, { seq, reason })

describe('reported Commits', () => {
  it('are shown to the operator with counts by reason, the latest first, without a name', async () => {
    const [alice, bob, carol, dave, erin] = await stage.cast('alice', 'bob', 'carol', 'dave', 'erin')
    const policy = { reports_to_reset: 2, external_join: 'none' } as const
    const first = await stage.group(alice, [bob, carol, dave, erin], { policy, room: `first-${randomUUID().slice(0, 8)}` })
    await first.update()
    const second = await stage.group(alice, [bob], { policy, room: `second-${randomUUID().slice(0, 8)}` })
    await report(bob, first, 2, 'undecryptable')
    await report(carol, first, 2, 'undecryptable')
    await report(dave, first, 2, 'bad-confirmation-tag')
    await report(erin, first, 2, 'undecryptable')
    await report(bob, second, 1, 'bad-welcome')
    await first.remove(dave.uri)

    const { code, out } = await cli('groups reports', testEnvironment(stage.server.config.DATABASE_URL ?? ''))
    expect(code).toBe(0)
    const lines = out.trim().split('\n')
    expect(lines).toEqual([
      expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]+Z {2}mimi:/),
      expect.stringContaining('bad-confirmation-tag 1, undecryptable 3. 3 of 3 users for a reset: any of them may reset it.'),
    ])
    expect(lines[0]).toContain(`group ${toBase64Url(second.record.groupId)}, seq 1, epoch 0: bad-welcome 1. 0 of 2 users for a reset.`)
    expect(lines[1]).toContain(`group ${toBase64Url(first.record.groupId)}, seq 2, epoch 1: `)
    for (const { user } of [alice, bob, carol, dave, erin]) expect(out).not.toContain(user)

    await bob.device.http.post(`${first.path}/reset`)
    expect((await cli('groups reports --limit 1', testEnvironment(stage.server.config.DATABASE_URL ?? ''))).out.trim()).toBe(lines[0])
    const [, reset] = await reportedCommits(stage.pool, 2)
    expect(reset).toMatchObject({ frozen: 'reset', users: 3, needed: 3, reasons: { undecryptable: 3, 'bad-confirmation-tag': 1 } })
    await second.delete()
    expect(await reportedCommits(stage.pool, 9)).toHaveLength(1)
  })

  it('are not taken from who made the Commit, with a path or without; who joined by it can report its Welcome only', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob], { policy: { reports_to_reset: 2, external_join: 'open' } })
    await group.update()
    for (const seq of [1, 2])
      expect(await refusal(report(alice, group, seq, 'undecryptable'))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await refusal(report(bob, group, 1, 'undecryptable'))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await report(bob, group, 1, 'bad-welcome')).toEqual({ reports: 0, needed: 2 })
    expect(await report(bob, group, 2, 'undecryptable')).toEqual({ reports: 1, needed: 2 })

    await carol.joinExternally({ groupId: group.record.groupId, mode: 'public', suite: 1 })
    for (const reason of ['other', 'bad-welcome'])
      expect(await refusal(report(carol, group, 3, reason))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await report(bob, group, 3, 'bad-external-pub')).toEqual({ reports: 1, needed: 2 })
  })

  it('end with the membership from which they were made, for the next reporter as for a reset', async () => {
    const [alice, bob, carol, dave, erin] = await stage.cast('alice', 'bob', 'carol', 'dave', 'erin')
    const group = await stage.group(alice, [bob, carol, dave, erin], { policy: { reports_to_reset: 2, external_join: 'none' } })
    await group.update()
    await report(bob, group, 2, 'undecryptable')
    await group.remove(bob.uri)
    expect(await report(carol, group, 2, 'undecryptable')).toEqual({ reports: 1, needed: 3 })
    await group.add(bob.user)
    expect(await countReports(stage.pool, await stage.gid(group), 2n)).toEqual({ reports: 1, needed: 3 })
    expect((await reportedCommits(stage.pool, 1))[0]).toMatchObject({ seq: 2n, users: 1 })
    expect(await refusal(carol.device.http.post(`${group.path}/reset`))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await report(dave, group, 2, 'other')).toEqual({ reports: 2, needed: 3 })
    expect(await report(erin, group, 2, 'other')).toEqual({ reports: 3, needed: 3 })
    await carol.device.http.post(`${group.path}/reset`)
  })

  it('are at most as many as asked for, which is a number', async () => {
    for (const limit of ['0', 'x', '1001']) {
      const { code, err } = await cli(`groups reports --limit ${limit}`, testEnvironment(stage.server.config.DATABASE_URL ?? ''))
      expect([code, err.trim()]).toEqual([1, '--limit takes a number from 1 to 1000.'])
    }
  })
})
