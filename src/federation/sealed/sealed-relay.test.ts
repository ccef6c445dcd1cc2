import { expect, it } from '@jest/globals'
import { FollowedHubs } from './sealed-relay.js'

function setting(...hubs: string[]) {
  const made = { hubs, now: 0, queries: 0 }
  const sql = { query: async () => (made.queries++, { rows: made.hubs.map((hub) => ({ hub })) }) }
  return { made, followed: new FollowedHubs(sql as never, () => made.now) }
}

it('hubs cost one query together: those that are followed, and all that anyone invents', async () => {
  const { made, followed } = setting('a.example', 'b.example')
  const invented = Array.from({ length: 1_000 }, (_, number) => `x${number}.example`)
  const answers = await Promise.all(['a.example', ...invented, 'b.example'].map((hub) => followed.has(hub)))
  expect(answers.filter(Boolean)).toHaveLength(2)
  expect([answers.at(0), answers.at(-1), made.queries]).toEqual([true, true, 1])
})

it('a hub that is followed is known a moment later, and one that is not any more is forgotten in a minute', async () => {
  const { made, followed } = setting('a.example')
  expect(await followed.has('b.example')).toBe(false)
  made.hubs = ['b.example']
  made.now = 250
  expect([await followed.has('b.example'), made.queries]).toEqual([true, 2])
  made.hubs = []
  made.now = 60_000
  expect([await followed.has('b.example'), made.queries]).toEqual([true, 2])
  made.now = 60_250
  expect([await followed.has('b.example'), made.queries]).toEqual([false, 3])
})
