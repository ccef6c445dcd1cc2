import { describe, expect, it } from '@jest/globals'
import { eventually } from '../../support/eventually.js'
import { allHeard, draftUser, useDraftWorld } from './draft-world.js'
import { fromOutside, groupOf } from './from-outside.js'
import { bytes, u16 } from './peer/codec.js'

/** Numbers of RFC 9420 §17.1 and §17.2, in front of a GroupInfo that is an MLSMessage. */
const [MLS_1_0, GROUP_INFO] = [1, 4]

describe('what a draft hub accepts before the server here has what comes before it', () => {
  const draft = useDraftWorld()

  it('is placed when that has come, and goes to the hub once, however often it is sent', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await bob!.createRoom('early')
    await bob!.add(room, alice.user)
    const group = await groupOf(alice, bob!, room)
    const { laptop, device, bundle, enter } = await fromOutside(draft.world, alice, group, room)
    const group_info = bytes(u16(MLS_1_0), u16(GROUP_INFO), bundle.groupInfo)
    await laptop.device.http.post(`${group.path}/commits`, { commit: bundle.message, group_info })
    enter()
    await eventually(
      () => bob!.device.group(room).epoch,
      (epoch) => epoch === device.group(room).epoch,
    )
    const gate = Promise.withResolvers<void>()
    const post = draft.b.caller.post.bind(draft.b.caller)
    draft.b.caller.post = async (to, endpoint, argument, body, wrong) => {
      if (endpoint === 'notify' && argument === room) await gate.promise
      return post(to, endpoint, argument, body, wrong)
    }
    try {
      // The laptop has heard of the Commit of bob on another way.
      const { hub } = draft.b
      const update = hub.update.bind(hub)
      hub.update = async (from, at, made) => {
        const answer = await update(from, at, made)
        await device.group(room).receive({ timestamp: 0n, kind: 'commit', message: made.message, others: [] })
        return answer
      }
      await bob!.refresh(room)
      hub.update = update
      const message = await device.group(room).encrypt('early')
      const send = () => laptop.device.http.postMessage(`${group.path}/messages`, message, 1)
      const first = send()
      const taken = async () => (await draft.server.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM draft_taken')).rows[0]?.n ?? 0
      await eventually(taken, (count) => count === 1)
      const again = send()
      gate.resolve()
      const [one, other] = await Promise.all([first, again])
      expect(other).toEqual(one)
      expect(draft.b.listener.seen.filter(({ endpoint }) => endpoint === 'submitMessage')).toHaveLength(1)
      await eventually(taken, (count) => count === 0)
    } finally {
      gate.resolve()
      draft.b.caller.post = post
    }
    await allHeard(room, [group], [bob!], ['early'])
  })
})
