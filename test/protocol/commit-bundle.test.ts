import { beforeAll, describe, expect, it } from '@jest/globals'
import { keyPackageRef } from '../../src/protocol/mls/hashes.js'
import { validateCommit, type CommitBundle, type ValidCommit } from '../../src/protocol/public-group/commit.js'
import { groupInfoMessage, outcome, publicMessage, welcomeMessage } from '../support/mls/follower.js'
import { Forge, forgeGroupInfo, forgeKeyPackage, forgeWelcome, newKey } from '../support/mls/forge.js'
import { byValue, proposals } from '../support/mls/proposals.js'

let forge: Forge

beforeAll(async () => {
  forge = await Forge.group(6)
})

describe('what comes with a Commit', () => {
  /** A Commit that adds two, with a bundle that fits and the changes to it. */
  async function bundled(
    change: (fitting: { refs: Uint8Array[]; next: ValidCommit['next']; tag: Uint8Array }) => Promise<CommitBundle>,
  ): Promise<string> {
    const keyPackages = await Promise.all(['x', 'y'].map((name) => forgeKeyPackage(newKey(), name)))
    const items = keyPackages.map((bytes) => byValue(proposals.add(bytes)))
    const tag = Buffer.alloc(32, 7)
    const message = publicMessage(await forge.commit(items, await forge.path(items, 1), 1, { confirmationTag: tag }))
    const alone = (await validateCommit(forge.state, message)) as ValidCommit
    expect(alone.added.map(({ leafIndex, identity }) => [leafIndex, identity])).toEqual([
      [6, 'x'],
      [7, 'y'],
    ])
    const refs = keyPackages.map((bytes) => keyPackageRef(1, bytes) as Uint8Array)
    return outcome(await validateCommit(forge.state, message, await change({ refs, next: alone.next, tag })))
  }

  it('may be one Welcome, or one for each new member', async () => {
    expect(await bundled(async ({ refs }) => ({ welcomes: [welcomeMessage(forgeWelcome(refs))] }))).toBe('valid')
    expect(await bundled(async ({ refs }) => ({ welcomes: refs.map((ref) => welcomeMessage(forgeWelcome([ref]))) }))).toBe('valid')
  })

  it.each([
    ['no Welcome for an added member', (refs: Uint8Array[]) => [forgeWelcome(refs.slice(1))], 'welcome-members'],
    ['no Welcome at all', () => [], 'welcome-members'],
    ['two secrets for one member', (refs: Uint8Array[]) => [forgeWelcome(refs), forgeWelcome(refs.slice(1))], 'welcome-members'],
    ['a secret for a stranger', (refs: Uint8Array[]) => [forgeWelcome([...refs, new Uint8Array(32)])], 'welcome-members'],
    ['a Welcome of another suite', (refs: Uint8Array[]) => [forgeWelcome(refs, 3)], 'welcome-cipher-suite'],
  ])('may not be %s', async (_case, welcomes, rule) => {
    expect(await bundled(async ({ refs }) => ({ welcomes: welcomes(refs).map(welcomeMessage) }))).toBe(rule)
  })

  it('may be the GroupInfo of the new epoch, signed by the committer', async () => {
    const groupInfo = ({ next, tag }: { next: ValidCommit['next']; tag: Uint8Array }) =>
      forgeGroupInfo(next.groupContext, forge.key(1), { confirmationTag: tag, signer: 1 })
    expect(await bundled(async (fitting) => ({ groupInfo: groupInfoMessage(await groupInfo(fitting)) }))).toBe('valid')
  })

  it.each([
    ['of the epoch before', { context: () => forge.state.groupContext }, 'group-info-context'],
    ['with another confirmation tag', { tag: new Uint8Array(32) }, 'group-info-confirmation-tag'],
    ['that names another signer', { signer: 0 }, 'group-info-signer'],
    ['that another member signed', { key: 0 }, 'group-info-signature'],
    ['that carries a ratchet tree', { extensions: [{ type: 2, data: new Uint8Array(1) }] }, 'group-info-without-tree'],
  ])('may not be a GroupInfo %s', async (_case, change, rule) => {
    const {
      context,
      tag: otherTag,
      signer = 1,
      key = 1,
      extensions = [],
    } = change as {
      context?: () => typeof forge.state.groupContext
      tag?: Uint8Array
      signer?: number
      key?: number
      extensions?: { type: number; data: Uint8Array }[]
    }
    const verdict = await bundled(async ({ next, tag }) => {
      const options = { confirmationTag: otherTag ?? tag, signer, extensions }
      const bytes = await forgeGroupInfo(context?.() ?? next.groupContext, forge.key(key), options)
      return { groupInfo: groupInfoMessage(bytes) }
    })
    expect(verdict).toBe(rule)
  })
})
