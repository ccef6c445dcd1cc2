import { describe, expect, it } from '@jest/globals'
import { GlobalSweep } from '../../src/delivery/sweep/global-sweep.job.js'
import type { Hint } from '../../src/platform/hints/hint.js'
import type { Jobs } from '../../src/platform/jobs/jobs.js'
import { useTestDatabase } from '../support/database.js'
import { createHints, newDevice, TestGroup } from './delivery-kit.js'

const database = useTestDatabase()

describe('the global sweep', () => {
  it('repeats the hints of what moved lately and of what waits in an inbox', async () => {
    const [alice, bob] = [await newDevice(database.pool), await newDevice(database.pool)]
    const group = await TestGroup.create(database.pool, alice)
    const quiet = await TestGroup.create(database.pool, alice)
    await quiet.say(1)
    await database.pool.query("UPDATE log SET accepted_at = now() - interval '1 day' WHERE gid = $1", [quiet.gid])
    await group.add(bob, 'welcome')
    const heard: Hint[] = []
    const hints = createHints()
    hints.subscribe((hint) => heard.push(hint))
    await new GlobalSweep(database.pool, {} as Jobs, hints, { GLOBAL_SWEEP_INTERVAL: 60_000 }).run()
    expect(heard).toContainEqual({ kind: 'group', gid: group.gid, headSeq: 1n })
    expect(heard).toContainEqual({ kind: 'inbox', deviceId: bob })
    expect(heard).not.toContainEqual(expect.objectContaining({ gid: quiet.gid }))
  })
})
