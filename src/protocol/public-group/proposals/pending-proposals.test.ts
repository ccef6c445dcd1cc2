import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { PendingProposals, type PendingProposal } from './pending-proposals.js'

const proposal = (name: string): PendingProposal => ({
  ref: Buffer.from(name),
  proposal: { kind: 'self-remove' },
  sender: { kind: 'member', leafIndex: 0 },
  bytes: Buffer.from(name),
})

describe('proposals that wait for a Commit', () => {
  it('are those that each version was given, in their order, whichever version is extended', () => {
    const step = fc.record({ from: fc.nat(), key: fc.constantFrom('a', 'bb', 'ccc', 'dddd', 'eeeee') })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const versions = [{ pending: PendingProposals.none, model: new Map<string, PendingProposal>() }]
        for (const { from, key } of steps) {
          const before = versions[from % versions.length]!
          const model = new Map(before.model)
          if (!model.has(key)) model.set(key, proposal(key))
          versions.push({ pending: before.pending.with(key, proposal(key)), model })
        }
        for (const { pending, model } of versions) {
          expect(pending.keys()).toEqual([...model.keys()])
          expect(pending.values()).toEqual([...model.values()])
          expect([pending.size, pending.bytes]).toEqual([model.size, [...model.keys()].join('').length])
          for (const key of ['a', 'bb', 'ccc', 'dddd', 'eeeee']) expect(pending.get(key)).toEqual(model.get(key))
        }
      }),
    )
  })
})
