import { afterAll, describe, expect, it } from '@jest/globals'
import type { Hint } from '../../src/platform/hints/hint.js'
import { Hints } from '../../src/platform/hints/hints.js'
import { startBalancer } from '../support/balancer.js'
import { createTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { GENEROUS } from '../support/generous.js'
import { startServer } from '../support/server.js'
import { BOUND, DelayChecker } from './delay-checker.js'

/** Two nodes behind a balancer; no hint reaches anybody, not even on the node that sends it. */
const database = await createTestDatabase()
const settings = { ...GENEROUS, SWEEP_INTERVAL: '100ms' }
const nodes = [await startServer(settings, { database }), await startServer(settings, { database })]
const checkers = nodes.map((node) => new DelayChecker(node))
const balancer = await startBalancer(nodes.map(({ url }) => Number(new URL(url).port)))
const dropped = new Set<Hint['kind']>()
for (const { app } of nodes) app.get(Hints).publish = (hints) => hints.forEach(({ kind }) => dropped.add(kind))

afterAll(async () => {
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
      (all) => all.every((checked) => checked > 10 * BOUND),
    )
    await world.goHome()
    for (const checker of checkers) checker.stop()
    expect(checkers.flatMap(({ late }) => late)).toEqual([])
    expect([...dropped]).toEqual(expect.arrayContaining(['acked', 'displaced', 'group', 'inbox']))
  })
})
