import { describe, expect, it } from '@jest/globals'
import { agreed, at, heard, MODES_AND_SUITES, switchOff, useWorld } from '../support/world.js'

describe.each(MODES_AND_SUITES)('a conversation in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()

  it('reaches everyone who joined by Welcome, both ways, in one order', async () => {
    const [alice, bob, laptop] = await world.cast('alice/phone', 'bob/phone', 'bob/laptop')
    const group = await world.group(alice, [bob, laptop], { mode, suite })
    await agreed([bob, laptop], group)
    await group.send('hello')
    await heard([bob, laptop, alice], group, ['hello'])
    await at(laptop, group).send('hello from the laptop')
    await heard([alice, bob, laptop], group, ['hello', 'hello from the laptop'])
    expect(group.record.messages.map((message) => message.from)).toEqual([alice.uri, laptop.uri])
  })

  it('waits for a device that was offline: every message once, in order, over several epochs', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite })
    await group.send('before')
    await heard([bob], group, ['before'])
    const saved = await switchOff(bob)
    for (const text of ['one', 'two', 'three']) {
      await group.send(text)
      await group.update()
    }
    const back = await world.restore(saved)
    back.connect()
    await heard([back], group, ['before', 'one', 'two', 'three'])
    await agreed([back], group)
    const seqs = at(back, group).record.messages.map((message) => message.seq)
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b))
  })

  it('survives a crash of the sender between sending and hearing: the Commit is merged once', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite })
    const own = at(bob, group)
    await bob.disconnect()
    const beforeReply = new Promise<Uint8Array>((resolve) => {
      const { http } = own.device
      const post = http.post.bind(http)
      http.post = async <T>(path: string, body?: unknown): Promise<T> => {
        const saved = bob.store.export()
        const answer = await post<T>(path, body)
        resolve(saved)
        return answer
      }
    })
    await own.update()
    const back = await world.restore(await beforeReply)
    expect(at(back, group).record.pending).toBeUndefined()
    back.connect()
    await alice.until('the Commit', () => group.epoch === 2)
    await agreed([back], group)
  })
})
