import { expect, it } from '@jest/globals'
import { Race, setting } from '../support/race.js'
import { useWorld } from '../support/world.js'

const SECONDS = setting('RACE_SECONDS', 30)
const ROUNDS = setting('RACE_ROUNDS', 10_000)
const world = useWorld()

it(
  '[I1] [I3] 8 clients race Commits on 4 groups: one per epoch, one history, every message read once',
  async () => {
    const race = new Race(world, {
      racers: 8,
      guests: 3,
      groups: [
        ['public', 1],
        ['private', 1],
        ['public', 2],
        ['private', 2],
      ],
    })
    await race.prepare()
    const end = performance.now() + SECONDS * 1000
    await race.run(() => performance.now() > end || race.actions >= ROUNDS * race.racers.length)
    await race.check()
    expect(race.actions).toBeGreaterThan(race.racers.length)
  },
  SECONDS * 1000 + 240_000,
)
