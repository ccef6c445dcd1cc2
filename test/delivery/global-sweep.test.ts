import { describe, expect, it } from '@jest/globals'
import { GlobalSweep } from '../../src/delivery/sweep/global-sweep.job.js'
import type { Hint } from '../../src/platform/hints/hint.js'
import type { Jobs } from '../../src/platform/jobs/jobs.js'
import { useTestDatabase } from '../support/database.js'
import { createHints, newDevice, TestGroup } from './delivery-node-fixture.js'

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

  it('deletes news of devices that every node has read, and no other', async () => {
    await database.pool.query('DELETE FROM device_news')
    await TestGroup.create(database.pool, await newDevice(database.pool))
    await database.pool.query("UPDATE device_news SET at = now() - interval '16 minutes'")
    const young = await newDevice(database.pool)
    await TestGroup.create(database.pool, young)
    await new GlobalSweep(database.pool, {} as Jobs, createHints(), { GLOBAL_SWEEP_INTERVAL: 60_000 }).run()
    const { rows } = await database.pool.query('SELECT device_id FROM device_news')
    expect(rows).toEqual([{ device_id: young }])
  })
})
