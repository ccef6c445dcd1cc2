import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { utf8 } from '../../examples/client/wire.js'
import { lossyProxy, type LossyProxy } from '../support/lossy-proxy.js'
import { agreed, heard, joined, MODES_AND_SUITES, useWorld } from '../support/world.js'

const world = useWorld()
let proxy: LossyProxy

beforeAll(async () => {
  proxy = await lossyProxy(world.url)
})
afterAll(() => proxy.close())

describe.each(MODES_AND_SUITES)('a reply that is lost in %s mode, suite %i', (mode, suite) => {
  it.each(['commits', 'messages'])('the identical resubmission of %s is one submission', async (what) => {
    const [bob] = await world.cast('bob')
    const alice = await world.unknown(world.unique(`alice-${mode}-${suite}-${what}`), 'phone')
    await alice.device.register()
    const group = await alice.createGroup({ groupId: utf8(world.unique(`${what}-${mode}-${suite}`)), mode, suite })
    await group.add(bob.user)
    await joined(bob, group.record.groupId)

    Object.assign(alice.device.http, { baseUrl: proxy.url })
    const before = proxy.lost()
    proxy.loseReplies(`/${what}`, 2)
    if (what === 'commits') await group.update()
    else await group.send('said once')
    expect(proxy.lost() - before).toBe(2)
    expect((await group.history(2)).entries).toHaveLength(1)
    await group.send('afterwards')
    await heard([bob], group, what === 'commits' ? ['afterwards'] : ['said once', 'afterwards'])
    await agreed([bob], group)
  })
})
