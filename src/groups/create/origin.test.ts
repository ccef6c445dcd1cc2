import { describe, expect, it } from '@jest/globals'
import { Problem } from '../../platform/http/problem.js'
import { makeGroupContext, type GroupContext, type GroupContextFields } from '../../protocol/mls/structures/group-info.js'
import type { ReInit } from '../../protocol/mls/structures/proposal.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { beginsWithMembers, refuseOtherParameters, type Origin } from './origin.js'

const groupId = Uint8Array.of(7)
const extensions = [{ type: 5, data: Uint8Array.of(1, 2) }]
const announced: ReInit = { kind: 'reinit', groupId, version: 1, cipherSuite: 2, extensions }

const context = (changes: Partial<GroupContextFields> = {}): GroupContext =>
  makeGroupContext({
    ...{ version: 1, cipherSuite: 2, groupId, epoch: 1n, extensions },
    ...{ treeHash: new Uint8Array(32), confirmedTranscriptHash: new Uint8Array(32) },
    ...changes,
  })

/** Only the columns given here are read of the row. */
function origin(kind: Origin['kind'], row: Partial<GroupRow>, said?: ReInit): Origin {
  return { kind, group: { frozen: null, cipherSuite: 2, successorGroupId: null, ...row } as GroupRow, announced: said } as Origin
}

/** The rule, or else the kind of problem, that it ends with. */
function refusal(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return error.extension['rule'] ?? error.type
  }
}

describe('a group begins with members', () => {
  it.each<[string, Origin | undefined, bigint, unknown]>([
    ['at epoch 1 as a branch', origin('branch', {}), 1n, true],
    ['at epoch 1 after a ReInit', origin('successor', { frozen: 'reinit' }), 1n, true],
    ['not at epoch 1 after nothing', undefined, 1n, false],
    ['not at epoch 0', origin('successor', { frozen: 'reinit' }), 0n, false],
    ['not at epoch 2', origin('branch', {}), 2n, false],
    ['not after a reset', origin('successor', { frozen: 'reset' }), 1n, 'group-info-epoch'],
  ])('%s', (_name, from, epoch, expected) => {
    expect(refusal(() => beginsWithMembers(from, context({ epoch })))).toBe(expected)
  })
})

describe('a group after another', () => {
  it.each<[string, Partial<GroupContextFields>, ReInit, unknown]>([
    ['is what the ReInit announced', {}, announced, undefined],
    ['has no other id', { groupId: Uint8Array.of(8) }, announced, 'reinit-mismatch'],
    ['has no other suite', { cipherSuite: 1 }, announced, 'reinit-mismatch'],
    ['has no other version', {}, { ...announced, version: 2 }, 'reinit-mismatch'],
    ['has no other extension', { extensions: [{ type: 5, data: Uint8Array.of(1, 3) }] }, announced, 'reinit-mismatch'],
    ['has no extension of another type', { extensions: [{ type: 6, data: Uint8Array.of(1, 2) }] }, announced, 'reinit-mismatch'],
    ['has no additional extension', { extensions: [...extensions, { type: 9, data: new Uint8Array() }] }, announced, 'reinit-mismatch'],
    ['may get its extensions later at epoch 0', { epoch: 0n, extensions: [] }, announced, undefined],
    ['has no other id at epoch 0 either', { epoch: 0n, groupId: Uint8Array.of(8) }, announced, 'reinit-mismatch'],
  ])('%s', (_name, changes, said, expected) => {
    expect(refusal(() => refuseOtherParameters(origin('successor', { frozen: 'reinit' }, said), context(changes)))).toBe(expected)
  })

  it('has the suite of the group that it branches from', () => {
    expect(refusal(() => refuseOtherParameters(origin('branch', { cipherSuite: 2 }), context()))).toBeUndefined()
    expect(refusal(() => refuseOtherParameters(origin('branch', { cipherSuite: 1 }), context()))).toBe('branch-mismatch')
  })
})
