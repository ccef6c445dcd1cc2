import { describe, expect, it } from '@jest/globals'
import { FirstLooks, type Asker } from './first-looks.js'

/** @param perMinute of all askers; what one may is counted by name of the limit and asker */
function looks(perMinute: number) {
  const taken: string[] = []
  const refused: string[] = []
  const limits = { take: async ({ name }: { name: string }, key: string) => void taken.push(`${name} ${key}`) }
  const metrics = { limitsRefused: { inc: ({ limit }: { limit: string }) => void refused.push(limit) } }
  const one = new FirstLooks({ FEDERATION_NEW_PEERS_PER_MINUTE: perMinute }, limits as never, metrics as never)
  const take = (kind: Asker['kind'], name: string) => one.chargeTo({ kind, name } as Asker, () => one.take())
  return { one, take, taken, refused }
}

describe('first looks at providers', () => {
  it('are charged to who asks, and by the server itself to nobody', async () => {
    const { one, take, taken } = looks(100)
    await take('address', '192.0.2.7')
    await take('peer', 'b.example')
    await take('account', 'mimi://a.example/u/alice')
    await one.take()
    expect(taken).toEqual([
      'new-peers-of-address 192.0.2.7',
      'new-peers-of-peer b.example',
      'new-peers-of-account mimi://a.example/u/alice',
    ])
  })

  it('of strangers leave those of own users alone, and the other way round', async () => {
    const { take, refused } = looks(2)
    for (const name of ['one', 'two']) await take('peer', name)
    await expect(take('address', 'three')).rejects.toThrow('rate-limited')
    for (const name of ['alice', 'bob']) await take('account', name)
    await expect(take('account', 'carol')).rejects.toThrow('rate-limited')
    expect(refused).toEqual(['new-peers-inbound', 'new-peers-outbound'])
  })

  it('are given out in turn once there are too few: who asks once waits for one of those who ask again and again', async () => {
    const { take } = looks(120)
    for (let look = 0; look < 120; look++) await take('peer', 'burst')
    const served: string[] = []
    const ask = (name: string) => take('address', name).then(() => served.push(name))
    const greedy = Array.from({ length: 4 }, () => ask('greedy'))
    await Promise.all([...greedy, ask('modest')])
    // One more may have become free since the burst, at two a second.
    expect(served.indexOf('modest')).toBeLessThanOrEqual(2)
  })

  it('wait in a small number for one asker', async () => {
    const { take, refused } = looks(120)
    for (let look = 0; look < 120; look++) await take('peer', 'burst')
    const outcomes = await Promise.allSettled(Array.from({ length: 9 }, () => take('address', 'greedy')))
    // One has its turn and four wait; see above.
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(6)
    expect(new Set(refused)).toEqual(new Set(['new-peers-waiting-of-one']))
  })
})
