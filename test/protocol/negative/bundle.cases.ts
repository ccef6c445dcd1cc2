import { keyPackageRef } from '../../../src/protocol/mls/hashes.js'
import { validateCommit, type CommitBundle, type ValidCommit } from '../../../src/protocol/public-group/commit.js'
import { groupInfoMessage, publicMessage, welcomeMessage } from '../../support/mls/follower.js'
import { Forge, forgeGroupInfo, forgeKeyPackage, forgeWelcome, newKey, type GroupInfoChanges } from '../../support/mls/forge.js'
import { newHpkeKey } from '../../support/mls/forge-keys.js'
import { byValue, proposals } from '../../support/mls/proposals.js'
import { group, type NegativeCase, type Verdict } from './forged-group-fixture.js'

interface Fitting {
  readonly forge: Forge
  readonly refs: Uint8Array[]
  readonly next: ValidCommit['next']
  readonly tag: Uint8Array
}

/** The verdict on a Commit of the second member that adds two, with a bundle made to fit but for the change. */
async function bundled(change: (fitting: Fitting) => Promise<CommitBundle> | CommitBundle): Promise<Verdict> {
  const forge = await group()
  const keyPackages = await Promise.all(['x', 'y'].map((name) => forgeKeyPackage(newKey(), name)))
  const items = keyPackages.map((bytes) => byValue(proposals.add(bytes)))
  const tag = Buffer.alloc(32, 7)
  const message = publicMessage(await forge.commit(items, await forge.path(items, 1), 1, { confirmationTag: tag }))
  const { next } = (await validateCommit(forge.state, message)) as ValidCommit
  const refs = keyPackages.map((bytes) => keyPackageRef(1, bytes)!)
  return validateCommit(forge.state, message, await change({ forge, refs, next, tag }))
}

function welcomes(make: (refs: Uint8Array[]) => Uint8Array[]): () => Promise<Verdict> {
  return () => bundled(({ refs }) => ({ welcomes: make(refs).map(welcomeMessage) }))
}

interface InfoChanges extends GroupInfoChanges {
  readonly signedBy?: number
  readonly before?: boolean
}

function groupInfo(changes: InfoChanges): () => Promise<Verdict> {
  return () =>
    bundled(async ({ forge, next, tag }) => {
      const context = (changes.before === true ? forge.state : next).groupContext
      const bytes = await forgeGroupInfo(context, forge.key(changes.signedBy ?? 1), { confirmationTag: tag, signer: 1, ...changes })
      return { groupInfo: groupInfoMessage(bytes) }
    })
}

function externalPub(data: Uint8Array): GroupInfoChanges {
  return { extensions: [{ type: 4, data }] }
}

/** RFC 9420 §12.4.3. */
export const bundleCases: NegativeCase[] = [
  { rule: 'welcome-cipher-suite', title: 'a Welcome of another suite', verdict: welcomes((refs) => [forgeWelcome(refs, 3)]) },
  { rule: 'welcome-members', title: 'no Welcome at all', verdict: welcomes(() => []) },
  { rule: 'welcome-members', title: 'no secret for one of the new members', verdict: welcomes((refs) => [forgeWelcome(refs.slice(1))]) },
  { rule: 'welcome-members', title: 'two secrets for one', verdict: welcomes((refs) => [forgeWelcome(refs), forgeWelcome(refs.slice(1))]) },
  { rule: 'welcome-members', title: 'a secret for a stranger', verdict: welcomes((refs) => [forgeWelcome([...refs, new Uint8Array(32)])]) },
  { rule: 'welcome-kem-output', title: 'a kem_output a byte too short', verdict: welcomes((refs) => [forgeWelcome(refs, 1, 31)]) },
  {
    rule: 'welcome-empty',
    title: 'a Welcome for nobody next to the right one',
    verdict: welcomes((refs) => [forgeWelcome(refs), forgeWelcome([])]),
  },
  {
    rule: 'welcome-group-info',
    title: 'an encrypted GroupInfo a byte shorter than a tag',
    verdict: welcomes((refs) => [forgeWelcome(refs, 1, 32, 15)]),
  },
  {
    rule: 'group-info-without-tree',
    title: 'a GroupInfo with a tree',
    verdict: groupInfo({ extensions: [{ type: 2, data: new Uint8Array(1) }] }),
  },
  { rule: 'group-info-context', title: 'a GroupInfo of the epoch before', verdict: groupInfo({ before: true }) },
  {
    rule: 'group-info-confirmation-tag',
    title: 'a GroupInfo with another tag',
    verdict: groupInfo({ confirmationTag: new Uint8Array(32) }),
  },
  { rule: 'group-info-signer', title: 'a GroupInfo of another member', verdict: groupInfo({ signer: 0, signedBy: 0 }) },
  { rule: 'group-info-signature', title: 'a GroupInfo signed by another key', verdict: groupInfo({ signedBy: 0 }) },
  {
    rule: 'external-pub',
    title: 'an external_pub of small order',
    verdict: groupInfo(externalPub(Buffer.concat([Buffer.of(32), new Uint8Array(32)]))),
  },
  {
    rule: 'external-pub',
    title: 'an external_pub without its length',
    verdict: groupInfo(externalPub(newHpkeKey())),
  },
  {
    rule: 'external-pub',
    title: 'an external_pub of two keys',
    verdict: groupInfo(externalPub(Buffer.concat([Buffer.of(32), newHpkeKey(), newHpkeKey()]))),
  },
]
