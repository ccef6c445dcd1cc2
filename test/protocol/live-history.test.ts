import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { applyCommit } from '../../src/protocol/public-group/apply-commit.js'
import { validateCommit, type ValidCommit } from '../../src/protocol/public-group/commit.js'
import { validateProposal } from '../../src/protocol/public-group/proposals/proposal.js'
import { deserialize, serialize } from '../../src/protocol/public-group/snapshot.js'
import { PendingProposals } from '../../src/protocol/public-group/proposals/pending-proposals.js'
import { addProposal, members, type PublicGroupState } from '../../src/protocol/public-group/state.js'
import { decoded, groupInfoMessage, publicMessage, ratchetTree, seeded, welcomeMessage } from '../support/mls/follower.js'
import { ClientFailed, Party, type Bundle } from '../support/mls/party.js'

/** A group of clients, and the server's view of it, which is compared with theirs after every step. */
class Followed {
  private joined = 1

  private constructor(
    readonly party: Party,
    public server: PublicGroupState,
  ) {}

  static async start(suite: number): Promise<Followed> {
    const party = await Party.of(suite)
    const groupInfo = groupInfoMessage(await party.found('d0'))
    return new Followed(party, await seeded(groupInfo, ratchetTree(await party.tree('d0'))))
  }

  names(): string[] {
    return [...this.party.states.keys()]
  }

  pick(choice: number): string {
    return this.names()[choice % this.names().length] as string
  }

  /** Who commits and whom it removes. This client gives a Commit of a single Remove no path, which is a rule of its own. */
  pickTwoVictims(choice: number): string[] {
    return this.names().length < 3 ? [] : [this.pick(choice), this.pick(choice + 1), this.pick(choice + 2)]
  }

  async newcomers(count: number) {
    return Promise.all(Array.from({ length: count }, () => this.party.device(`d${this.joined++}`)))
  }

  async proposed(bytes: Uint8Array): Promise<void> {
    const message = publicMessage(bytes)
    expect(await validateProposal(this.server, message)).toMatchObject({ kind: 'valid' })
    this.server = addProposal(this.server, message)
  }

  async committed({ commit, welcomes, groupInfo }: Bundle): Promise<ValidCommit> {
    const bundle = { groupInfo: groupInfoMessage(groupInfo), welcomes: welcomes.map(welcomeMessage) }
    const verdict = await validateCommit(this.server, publicMessage(commit), bundle)
    if (verdict.kind === 'refused') throw new Error(`${verdict.rule} ${verdict.section}`)
    const again = applyCommit(this.server, publicMessage(commit))
    if (again.kind === 'refused') throw new Error(`does not replay: ${again.rule}`)
    expect(Buffer.from(serialize(again.next)).equals(serialize(verdict.next))).toBe(true)
    expect([again.reinit, again.next.tree.weight]).toEqual([verdict.reinit, verdict.next.tree.weight])
    this.server = verdict.next
    this.expectAgreement()
    return verdict
  }

  private expectAgreement(): void {
    const { treeHash, confirmedTranscriptHash, epoch } = this.server.groupContext
    for (const { groupContext } of this.party.states.values()) {
      expect({ epoch, treeHash, confirmedTranscriptHash }).toEqual({
        epoch: groupContext.epoch,
        treeHash: Buffer.from(groupContext.treeHash),
        confirmedTranscriptHash: Buffer.from(groupContext.confirmedTranscriptHash),
      })
    }
    const roster = members(this.server).map(({ leafIndex, identity }) => [leafIndex, identity])
    expect(roster).toEqual(this.party.roster(this.pick(0)))
    const bytes = serialize(this.server)
    const rebuilt = decoded(deserialize(bytes))
    expect(Buffer.from(serialize(rebuilt)).equals(bytes)).toBe(true)
    // What was counted from Commit to Commit is what a count of the whole tree gives.
    expect(this.server.tree.weight).toBe(rebuilt.tree.weight)
  }
}

/** One step of a history; where a group is too small for it, it adds a member instead. */
const steps: ((group: Followed, choice: number) => Promise<void>)[] = [
  async (group, choice) => {
    const newcomers = await group.newcomers(1 + (choice % 3))
    const { added } = await group.committed(await group.party.commit(group.pick(choice), [], newcomers))
    const refs = await Promise.all(newcomers.map((device) => group.party.keyPackageRef(device)))
    expect(added.map(({ keyPackageRef }) => Buffer.from(keyPackageRef))).toEqual(refs.map((ref) => Buffer.from(ref)))
  },
  async (group, choice) => {
    const { updated, committer } = await group.committed(await group.party.commit(group.pick(choice)))
    expect(updated.map(({ leafIndex }) => leafIndex)).toEqual([committer.leafIndex])
  },
  async (group, choice) => {
    const [by, ...victims] = group.pickTwoVictims(choice)
    if (by === undefined) return add(group, choice)
    const removes = victims.map((victim) => group.party.remove(victim))
    const { removed } = await group.committed(await group.party.commit(by, removes))
    expect(removed.map(({ identity }) => identity)).toEqual(victims)
  },
  async (group, choice) => {
    const [by, ...victims] = group.pickTwoVictims(choice)
    if (by === undefined) return add(group, choice)
    for (const victim of victims) await group.proposed(await group.party.propose(group.pick(choice + 2), group.party.remove(victim)))
    // No newcomers here: this client would encrypt the path to them too, under the keys of those whose leaves they get.
    const { proposals } = await group.committed(await group.party.commit(by))
    expect(proposals.filter(({ byReference }) => byReference)).toHaveLength(2)
  },
  async (group, choice) => {
    const newcomer = await group.party.device(`e${choice}-${group.server.groupContext.epoch}`)
    const bundle = await group.party.joinExternally(newcomer)
    if (bundle === undefined) return add(group, choice)
    const { external, committer, added } = await group.committed(bundle)
    expect([external, committer.identity, added]).toEqual([true, newcomer.name, []])
  },
  async (group, choice) => {
    const name = group.pick(choice)
    const bundle = group.names().length < 2 ? undefined : await group.party.joinExternally(await group.party.device(name, name), true)
    if (bundle === undefined) return add(group, choice)
    const { removed } = await group.committed(bundle)
    expect(removed.map(({ identity }) => identity)).toEqual([name])
  },
]

const add = steps[0] as (typeof steps)[number]

/** A joiner finds the same state in what a member shows, and nothing wrong with it. */
async function expectJoinable({ party, server }: Followed): Promise<void> {
  const [shower] = party.states.keys()
  if (shower === undefined) return
  const shown = await seeded(groupInfoMessage(await party.groupInfo(shower)), ratchetTree(await party.tree(shower)))
  expect(Buffer.from(serialize(shown)).equals(serialize({ ...server, pending: PendingProposals.none }))).toBe(true)
}

/** How many steps were followed: all, unless the client library failed on the way. */
async function follow(suite: number, history: [number, number][]): Promise<number> {
  const group = await Followed.start(suite)
  for (const [done, [kind, choice]] of history.entries()) {
    try {
      await steps[kind]?.(group, choice)
    } catch (error) {
      if (error instanceof ClientFailed) return done
      throw error
    }
  }
  await expectJoinable(group)
  return history.length
}

describe.each([
  [1, 5],
  [2, 2],
])('a history that clients of suite %i make', (suite, numRuns) => {
  it('is followed to their tree hash, transcript and members, whatever its steps', async () => {
    const step = fc.tuple(fc.nat(steps.length - 1), fc.nat(30))
    let followed = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 20, size: 'max' }), async (history) => {
        followed += await follow(suite, history)
      }),
      { numRuns, endOnFailure: true },
    )
    expect(followed).toBeGreaterThan(2 * numRuns)
  })
})
