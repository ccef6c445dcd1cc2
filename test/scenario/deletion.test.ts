import { describe, expect, it } from '@jest/globals'
import { at, heard, MODES_AND_SUITES, problemOf, switchOff, useWorld } from '../support/world.js'

describe.each(MODES_AND_SUITES)('deletion in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()

  it('[I8] takes every entry at once, tells everybody, also who was offline, and leaves a tombstone', async () => {
    const [alice, bob, carol] = await world.cast('alice', 'bob', 'carol')
    const group = await world.group(alice, [bob, carol], { mode, suite })
    const saved = await switchOff(carol)
    await group.send('to be forgotten')
    await heard([bob], group, ['to be forgotten'])

    const { message } = (await group.history(2)).entries[0]!
    expect(await group.delete()).toEqual({ deleted_entries: 2 })
    await bob.until('the notice', () => at(bob, group).record.standing === 'deleted')
    const { http } = bob.device
    const requests = [
      group.history(1),
      http.get(group.path),
      http.get(`${group.path}/tree?epoch=1`),
      http.postMessage(`${group.path}/messages`, message),
    ]
    for (const request of requests) {
      const refusal = await problemOf(request)
      expect([refusal.status, refusal.kind]).toEqual([410, 'group-deleted'])
    }
    await expect(alice.createGroup({ groupId: group.record.groupId, mode, suite })).rejects.toMatchObject({
      status: 409,
      kind: 'group-exists',
    })

    const back = await world.restore(saved)
    back.connect()
    await back.until('the notice', () => back.notices.some((notice) => notice.kind === 'group.deleted'))
    expect(at(back, group).record.standing).toBe('deleted')
    expect(at(back, group).texts).toEqual([])
  })

  it('is for admins only', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite })
    expect((await problemOf(at(bob, group).delete())).status).toBe(403)
    await group.send('still here')
    await heard([bob], group, ['still here'])
  })
})
