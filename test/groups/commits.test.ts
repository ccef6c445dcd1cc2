import { describe, expect, it } from '@jest/globals'
import { at, draft, refusal, submit, useStage } from './groups-kit.js'

const stage = useStage()

describe('a Commit', () => {
  it('moves the group to the next epoch and brings its Welcome', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    expect(group.epoch).toBe(1)
    expect(at(bob, group).epochAuthenticator).toBe(group.epochAuthenticator)
  })
})
