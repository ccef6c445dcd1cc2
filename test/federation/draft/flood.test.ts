import { describe, expect, it } from '@jest/globals'
import { allHeard, draftUser, entered, plainGroup, roomOf, useDraftWorld } from './draft-world.js'
import { bytes } from './peer/codec.js'
import { encodeFanout, encodeSubmitRequest } from './peer/room-bodies.js'

const ALLOWED = 60
/** More than a minute of its budget holds, with the burst. */
const FLOOD = 4 * ALLOWED

describe('a draft peer that floods', () => {
  const draft = useDraftWorld({ FEDERATION_REQUESTS_PER_MINUTE: String(ALLOWED) })

  const flood = async (send: () => Promise<{ status: number; headers: object }>) => {
    const answers = []
    for (let index = 0; index < FLOOD; index += 10) answers.push(...(await Promise.all(Array.from({ length: 10 }, send))))
    return answers
  }

  it.each(['notify', 'submitMessage'] as const)('of %s is refused beyond its rate, and the users of others go on', async (endpoint) => {
    const [alice] = await draft.world.cast('alice')
    const [dave] = await draftUser(draft.c, 'dave')
    const group = await plainGroup(draft.world, alice)
    const room = await roomOf(group)
    await group.add(dave!.device.user)
    await entered(dave!, room)
    const [bob] = await draftUser(draft.b, 'bob')
    const own = await bob!.createRoom(`flood-${endpoint}`)
    const message = await bob!.device.group(own).encrypt('flood')
    const sender = bob!.device.user
    let index = 0
    const answers = await flood(() => {
      const body =
        endpoint === 'notify'
          ? bytes(encodeFanout({ timestamp: BigInt(++index), kind: 'application', message }))
          : encodeSubmitRequest({ message, sender })
      return draft.b.caller.post('a.example', endpoint, endpoint === 'notify' ? own : room, body)
    })
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThanOrEqual(FLOOD - 3 * ALLOWED)
    for (const { headers } of refused) expect(headers).toHaveProperty('retry-after')
    await dave!.send(room, 'not my flood')
    await group.send('nor mine')
    await allHeard(room, [group], [dave!], ['not my flood', 'nor mine'])
  })
})
