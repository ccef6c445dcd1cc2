import { describe, expect, it } from '@jest/globals'
import { NoAnswer } from '../../examples/client/http.js'
import { agreed, at, heard, MODES_AND_SUITES, useWorld } from '../support/world.js'

describe.each(MODES_AND_SUITES)('the cursor of the example client in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()

  it('passes no entry that was not read: what a stream leaves out is read from the log', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite })
    await group.send('zero')
    await heard([bob], group, ['zero'])
    await bob.disconnect()
    for (const text of ['one', 'two', 'three']) await group.send(text)
    const last = (await at(bob, group).history(1)).entries.filter(({ kind }) => kind === 'application').at(-1)!
    await at(bob, group).receive([last])
    expect(at(bob, group).texts).toEqual(['zero', 'one', 'two', 'three'])
    await at(bob, group).receive([last])
    expect(at(bob, group).texts).toEqual(['zero', 'one', 'two', 'three'])
    expect(at(bob, group).record.failures).toEqual([])
  })

  it('waits for a Commit of which no answer came: that is settled before the next one', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite })
    await group.send('zero')
    await heard([bob], group, ['zero'])
    await bob.disconnect()
    const { http } = bob.device
    const post = http.post.bind(http)
    http.post = async <T>(path: string, body?: unknown): Promise<T> => {
      const answer = await post<T>(path, body)
      if (!path.endsWith('/commits')) return answer
      http.post = post
      throw new NoAnswer('lost')
    }
    const { epoch } = group
    await expect(at(bob, group).update()).rejects.toThrow(NoAnswer)
    await alice.until('the first Commit', () => group.epoch === epoch + 1)
    await group.send('in between')
    await at(bob, group).update()
    expect([at(bob, group).epoch, at(bob, group).texts]).toEqual([epoch + 2, ['zero', 'in between']])
    await agreed([alice], at(bob, group))
  })
})
