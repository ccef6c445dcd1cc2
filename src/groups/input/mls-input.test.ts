import { describe, expect, it } from '@jest/globals'
import { refuseOtherGroup } from './mls-input.js'

const group = Buffer.from('a group')

describe('a framed message', () => {
  it('is refused if it is of another group', () => {
    expect(() => refuseOtherGroup(group, { groupId: Buffer.from('another'), epoch: 0n }, 'message')).toThrow('of another group')
  })

  it('is refused before SQL sees an epoch that its integers cannot hold, or whose next one they cannot', () => {
    const at = (epoch: bigint) => () => refuseOtherGroup(group, { groupId: group, epoch }, 'message')
    expect(at(2n ** 63n)).toThrow('no group reaches')
    expect(at(2n ** 63n - 1n)).toThrow('no group reaches')
    expect(at(2n ** 63n - 2n)).not.toThrow()
  })
})
