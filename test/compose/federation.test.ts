import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { agreed, at, heard, World } from '../support/world.js'
import { describeDeployment, healthy, ServiceContainer } from './compose-project.js'

describeDeployment('the second provider of the profile federation', () => {
  let home: World
  let away: World
  beforeEach(async () => {
    await healthy('peer')
    home = new World(process.env['TEST_SERVER_URL'] ?? '', process.env['TEST_SERVER_DOMAIN'])
    away = new World(process.env['TEST_PEER_URL'] ?? '', 'peer.localhost', 100)
  })
  afterEach(async () => {
    await (await ServiceContainer.of('peer')).start()
    await Promise.all([home.disconnect(), away.disconnect()])
  })

  it.each(['public', 'private'] as const)('is in one group with the first, in %s mode', async (mode) => {
    const [alice] = await home.cast('alice')
    const [bob] = await away.cast('bob')
    const group = await home.group(alice, [bob], { mode })
    await group.send('hello')
    await heard([alice, bob], group, ['hello'])
    await at(bob, group).send('hello yourself')
    await at(bob, group).update()
    await heard([alice, bob], group, ['hello', 'hello yourself'])
    await agreed([alice], at(bob, group))
  })

  it('is not waited for while it is away, and has everything once it is back', async () => {
    const [alice] = await home.cast('alice')
    const [bob] = await away.cast('bob')
    const group = await home.group(alice, [bob], {})
    await (await ServiceContainer.of('peer')).kill()
    const texts = Array.from({ length: 30 }, (_, number) => `message ${number}`)
    for (const text of texts) await group.send(text)
    await heard([alice], group, texts)
    expect(at(bob, group).texts).toEqual([])
    await (await ServiceContainer.of('peer')).start()
    await heard([bob], group, texts)
  })
})
