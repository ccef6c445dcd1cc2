import { describe, expect, it } from '@jest/globals'
import { useTestDatabase } from '../support/database.js'
import { useDeployedRace } from '../support/deployed-race.js'
import { buildPreviousRelease, hasPreviousRelease, PREVIOUS_VERSION } from '../support/previous-release.js'
import { hasRedis, useRedis } from '../support/redis.js'

const describeWithBoth = hasRedis && hasPreviousRelease ? describe : describe.skip

describeWithBoth('nodes of the release before and of this one', () => {
  const database = useTestDatabase()
  const redis = useRedis()
  const { startRace, raceThrough } = useDeployedRace(() => ({ database: database.url, redis: redis.url }))

  it('serve the same groups side by side, while one after the other is upgraded, from the database of the release before', async () => {
    // Its nodes make theirs in it.
    await database.pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    const { race, nodes } = await startRace(
      { api: 2, workers: 1, main: await buildPreviousRelease() },
      // As the operator guide says: those of before understand no tokens that are bound to a key.
      { ACCESS_TOKENS: 'legacy' },
    )
    const previous = `build_info{version="${PREVIOUS_VERSION}"}`
    for (const node of nodes.nodes) expect(await node.metric(previous)).toBe(1)
    await raceThrough(race, async (progress) => {
      for (const node of nodes.nodes) {
        expect(await node.down('SIGTERM')).toBe(0)
        await node.up()
        await progress(3)
      }
    })
    for (const node of nodes.nodes) expect([await node.metric(previous), await node.metric('build_info')]).toEqual([undefined, 1])
  })
})
