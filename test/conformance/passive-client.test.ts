import { expect, it } from '@jest/globals'
import { deserialize, serialize } from '../../src/protocol/public-group/snapshot.js'
import { describeVectors } from '../support/vectors.js'
import { follow, HISTORIES, type History } from './support/history.js'

for (const name of HISTORIES) {
  describeVectors<History>(name, (histories) => {
    const cases = histories.map((history, index) => ({ index, suite: history.cipher_suite, epochs: history.epochs.length, history }))
    it.each(cases)('$index (suite $suite) is followed through $epochs epochs', async ({ history }) => {
      const { state, epochs, refused } = await follow(history)
      expect(refused).toEqual([])
      expect(epochs).toBe(history.epochs.length)

      const bytes = serialize(state)
      const restored = deserialize(bytes)
      expect(restored.kind === 'decoded' && Buffer.from(serialize(restored.value)).equals(bytes)).toBe(true)
    })
  })
}
