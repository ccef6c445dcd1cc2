import { describe, expect, it } from '@jest/globals'
import type { Encoding } from '../../examples/client/http.js'
import { utf8 } from '../../examples/client/wire.js'
import { agreed, at, heard, joined, useWorld, type World } from '../support/world.js'

describe.each<Encoding>(['json', 'cbor'])('bodies in %s', (encoding) => {
  const world = useWorld()

  it('carry a whole conversation', async () => {
    const [alice] = await world.cast('alice')
    const bob = await speaking(world, encoding)
    const group = await bob.createGroup({ groupId: utf8(world.unique(`in-${encoding}`)), mode: 'public', suite: 1 })
    await group.add(alice.user)
    await joined(alice, group.record.groupId)
    await at(alice, group).send('from the other form')
    await heard([bob], group, ['from the other form'])
    await group.update()
    await agreed([alice], group)
    const page = await group.history(1)
    expect(page.entries.map((entry) => [entry.seq, entry.kind])).toEqual([
      [1, 'commit'],
      [2, 'application'],
      [3, 'commit'],
    ])
    expect(page.entries.every((entry) => entry.message instanceof Uint8Array && entry.hash.length === 32)).toBe(true)
  })

  it('may also be the bare message: message/mls and a body with a message field are one submission', async () => {
    const [alice] = await world.cast('alice')
    const bob = await speaking(world, encoding)
    const group = await bob.createGroup({ groupId: utf8(world.unique(`bare-${encoding}`)), mode: 'private', suite: 1 })
    await group.add(alice.user)
    const accepted = await group.send('bare')
    const { message } = (await group.history(accepted.seq)).entries[0]!
    expect(await bob.device.http.post(`${group.path}/messages`, { message })).toEqual(accepted)
    expect(await bob.device.http.postMessage(`${group.path}/messages`, message)).toEqual(accepted)
    expect((await group.history(accepted.seq)).entries).toHaveLength(1)
  })
})

let serial = 0
async function speaking(world: World, encoding: Encoding) {
  const client = await world.unknown(world.unique(`polyglot-${encoding}-${++serial}`), 'phone', encoding)
  await client.device.register()
  await client.device.publishKeyPackages(2)
  client.connect()
  return client
}
