import { describe, expect, it } from '@jest/globals'
import { eventually } from '../../support/eventually.js'
import { allHeard, draftUser, useDraftWorld } from './draft-world.js'
import { fromOutside, groupOf } from './from-outside.js'
import { bytes, u16 } from './peer/codec.js'

/** Numbers of RFC 9420 §17.1 and §17.2, in front of a GroupInfo that is an MLSMessage. */
const [MLS_1_0, GROUP_INFO] = [1, 4]

describe('a device that joins a room of a draft hub by an external Commit', () => {
  const draft = useDraftWorld()

  /** Fan-outs of b.example in one room: how many were answered, and whether they are kept back. */
  function watch(room: string) {
    const post = draft.b.caller.post.bind(draft.b.caller)
    const seen = { answered: 0, gate: Promise.resolve(), restore: () => void (draft.b.caller.post = post) }
    draft.b.caller.post = async (to, endpoint, argument, body, wrong) => {
      if (endpoint !== 'notify' || argument !== room) return post(to, endpoint, argument, body, wrong)
      await seen.gate
      const answer = await post(to, endpoint, argument, body, wrong)
      if (answer.status === 201) seen.answered++
      return answer
    }
    return seen
  }

  it.each(['answer', 'fan-out'] as const)('is in it where the hub’s %s comes first', async (first) => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await bob!.createRoom(`first-${first}`)
    await bob!.add(room, alice.user)
    const group = await groupOf(alice, bob!, room)
    const { laptop, device, bundle, enter } = await fromOutside(draft.world, alice, group, room)
    const seen = watch(room)
    const gate = Promise.withResolvers<void>()
    const update = draft.b.hub.update.bind(draft.b.hub)
    try {
      if (first === 'answer') seen.gate = gate.promise
      else
        draft.b.hub.update = async (...asked) => {
          const response = await update(...asked)
          await eventually(
            () => seen.answered,
            (count) => count > 0,
          )
          return response
        }
      const group_info = bytes(u16(MLS_1_0), u16(GROUP_INFO), bundle.groupInfo)
      await laptop.device.http.post(`${group.path}/commits`, { commit: bundle.message, group_info })
    } finally {
      draft.b.hub.update = update
      gate.resolve()
    }
    enter()
    await eventually(
      () => seen.answered,
      (count) => count > 0,
    )
    seen.restore()
    await laptop.device.http.postMessage(`${group.path}/messages`, await device.group(room).encrypt('in'), 1)
    await allHeard(room, [group], [bob!], ['in'])
    const { groups } = await laptop.device.http.get<{ groups: unknown[] }>('/v1/groups')
    expect(groups).toHaveLength(1)
    // Its place in the tree is seen by the Commit that it sends next, also where the hub’s fan-out of that comes first; so it is seen to leave.
    await bob!.removeUser(room, alice.user)
    await eventually(
      async () => (await alice.device.http.get<{ groups: unknown[] }>('/v1/groups')).groups.length,
      (count) => count === 0,
    )
  })
})
