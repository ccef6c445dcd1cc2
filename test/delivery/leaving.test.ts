import { beforeEach, describe, expect, it } from '@jest/globals'
import { leaveGroup } from '../../src/groups/removal/removal.repository.js'
import { submitProposal } from '../../src/groups/repository/submissions.repository.js'
import { sha256 } from '../../src/protocol/sha256.js'
import { useTestDatabase } from '../support/database.js'
import { useStreamNodes } from './stream-fixture.js'
import { twoMembers, type TwoMembers } from './two-members-fixture.js'

const database = useTestDatabase()
const fixture = useStreamNodes(database)
let scene: TwoMembers

beforeEach(async () => {
  scene = await twoMembers(database, fixture)
  await leaveGroup(database.pool, scene.group.gid, scene.bobsDevice)
})

describe('the open stream of a device that leaves', () => {
  it.each([
    ['the hint', () => scene.node.hints.publish([{ kind: 'inbox', deviceId: scene.bobsDevice }])],
    ['the sweep alone', () => scene.node.sweep.sweep()],
  ])('gets no entry behind its leave, which its node hears of by %s', async (_by, notice) => {
    await scene.newsOfAnotherGroup(notice)
    await scene.logGoesOn()
    expect(scene.bob.seqs(scene.group)).toEqual(scene.before)
    // It asked for that, and so needs no word of it.
    expect(scene.bob.of('removed')).toEqual([])
  })

  it('is sent no entry behind the Remove that the server proposes, though nothing told the node of the leave', async () => {
    const bytes = Buffer.from('a Remove')
    const place = { gid: scene.group.gid, incarnation: 1, deviceId: null, mustBeMember: false, epoch: scene.group.epoch }
    await submitProposal(database.pool, { ...place, hash: sha256(bytes), bytes, pending: null })
    await scene.logGoesOn()
    await scene.newsOfAnotherGroup(() => scene.node.sweep.sweep())
    expect(scene.bob.seqs(scene.group)).toEqual(scene.before)
  })

  it('goes on by an external Commit of its own', async () => {
    await scene.newsOfAnotherGroup(() => scene.node.sweep.sweep())
    const back = await scene.group.commit({
      added: [{ deviceId: scene.bobsDevice, welcome: null }],
      external: true,
      deviceId: scene.bobsDevice,
    })
    const last = await scene.group.say(1)
    await scene.node.sweep.sweep()
    await scene.bob.untilSeq(scene.group, last)
    expect(scene.bob.seqs(scene.group)).toEqual([...scene.before, Number(last)])
    expect(Number(last)).toBe(Number(back) + 1)
  })

  it('stays closed when others add the device again before they remove it', async () => {
    const again = await scene.group.add(scene.bobsDevice, 'welcome')
    await scene.logGoesOn()
    await scene.newsOfAnotherGroup(() => scene.node.sweep.sweep())
    await scene.logGoesOn()
    expect(scene.bob.seqs(scene.group).filter((seq) => seq > Number(again))).toEqual([])
    expect(scene.bob.of('inbox')).toEqual([])
  })
})
