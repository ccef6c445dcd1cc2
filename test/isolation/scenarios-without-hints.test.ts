import { afterAll, describe, expect, it } from '@jest/globals'
import type { Hint } from '../../src/platform/hints/hint.js'
import { Hints } from '../../src/platform/hints/hints.js'
import { startBalancer } from '../support/balancer.js'
import { createTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { GENEROUS } from '../support/generous.js'
import { startServer } from '../support/server.js'
import { BOUND, DelayChecker } from './delay-checker.js'

/** Two nodes behind a balancer; no hint arrives, not even on the node that sends it. */
const database = await createTestDatabase()
const settings = { ...GENEROUS, SWEEP_INTERVAL: '100ms' }
const nodes = [await startServer(settings, { database }), await startServer(settings, { database })]
const checkers = nodes.map((node) => new DelayChecker(node))
const balancer = await startBalancer(nodes.map(({ url }) => Number(new URL(url).port)))
const dropped = new Set<Hint['kind']>()
let isLost: (kind: Hint['kind']) => boolean = () => true
/** What Redis would do, and the node itself: to all listeners, on both nodes. */
const deliver = (hint: Hint) => nodes.forEach(({ app }) => app.get<{ deliver(hint: Hint): void }>(Hints).deliver(hint))
for (const { app } of nodes) {
  app.get(Hints).publish = (hints) => {
    for (const hint of hints) {
      if (isLost(hint.kind)) dropped.add(hint.kind)
      else deliver(hint)
    }
  }
}

afterAll(async () => {
  for (const checker of checkers) checker.stop()
  await balancer.close()
  for (const node of nodes) await node.close()
  await database.drop()
})

// The scenarios ask for this when they are loaded. `leaving` is left out: its requests of a revoked device may be served for a second.
process.env['TEST_SERVER_URL'] = balancer.url
const { heard, World } = await import('../support/world.js')
for (const scenario of ['conversation', 'external-join', 'membership', 'deletion', 'successor', 'polling', 'bodies', 'history'])
  await import(`../scenario/${scenario}.test.js`)
delete process.env['TEST_SERVER_URL']

describe('what happened in these scenarios', () => {
  it('and in groups of two whose streams stay open reached every stream within a few sweeps', async () => {
    const world = new World(balancer.url)
    const [alice, bob] = await world.cast('alice', 'bob')
    for (let round = 0; round < 8; round++) {
      const group = await world.group(alice, [bob])
      await group.send('hello')
      await heard([alice, bob], group, ['hello'])
    }
    await eventually(
      () => checkers.map(({ checked }) => checked),
      (all) => all.some((checked) => checked > 10 * BOUND),
    )
    await world.disconnect()
    expect(checkers.flatMap(({ late }) => late)).toEqual([])
    expect([...dropped]).toEqual(expect.arrayContaining(['displaced', 'group', 'inbox']))
  })

  it.each<Hint['kind']>(['group', 'inbox', 'acked', 'displaced'])('and so it does where only the hints "%s" get lost', async (lost) => {
    isLost = (kind) => kind === lost
    const world = new World(balancer.url)
    const [alice, bob] = await world.cast('alice', 'bob')
    const before = checkers.map(({ checked }) => checked)
    for (let round = 0; round < 3; round++) {
      const group = await world.group(alice, [bob])
      await group.send('hello')
      await heard([alice, bob], group, ['hello'])
    }
    await eventually(
      () => checkers.map(({ checked }, index) => checked - (before[index] ?? 0)),
      (all) => all.some((checked) => checked > BOUND),
    )
    await world.disconnect()
    expect(checkers.flatMap(({ late }) => late)).toEqual([])
  })
})
