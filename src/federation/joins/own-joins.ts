import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { certificateIn, judgeLeaf } from '../../authentication/directory/leaf-certificates.js'
import { listedCertificates } from '../../authentication/directory/leaf-certificates.repository.js'
import type { Caller } from '../../authentication/session/caller.js'
import { InvalidCommit } from '../../groups/groups.problems.js'
import { followGroup, type Home } from '../../groups/home/homes.repository.js'
import { unregisteredAmong } from '../../groups/roster/roster.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { decodeIncoming } from '../../platform/http/incoming-message.js'
import { POOL } from '../../platform/postgres/sql.js'
import { secondsNow } from '../../platform/timing.js'
import { keyPackageRef } from '../../protocol/mls/hashes.js'
import { namedIdentity } from '../../protocol/mls/structures/credential.js'
import type { KeyPackage } from '../../protocol/mls/structures/key-package.js'
import type { LeafNode } from '../../protocol/mls/structures/leaf-node.js'
import { sha256 } from '../../protocol/sha256.js'
import { recordOwnKeyPackage, recordPassedCommit } from './join-proofs.repository.js'

/**
 * Remembers by what devices here ask to join groups of other hubs, before it goes out: a hub is believed of no other join. It is remembered also
 * where no answer comes.
 */
@Injectable()
export class OwnJoins {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'KEY_PACKAGE_MAX_AGE'>,
  ) {}

  /** The address here of a group that a hub has found by its room; undefined if the hub has it in another room. */
  found(group: Omit<Home, 'groupId'>): Promise<Uint8Array | undefined> {
    return followGroup(this.pool, group, 'found')
  }

  /** A Commit by which the caller comes in from outside; any other is none of this. @throws InvalidCommit for a leaf that is not its device's */
  async passCommit(roomId: string, caller: Caller, commit: Uint8Array): Promise<void> {
    const leaf = joinerIn(commit)
    // The hub refuses a leaf of another client. It is not remembered, so that nobody can have another's Commit believed.
    if (!leaf || namedIdentity(leaf.credential) !== caller.client) return
    await this.requireOwnLeaf(caller, leaf)
    await recordPassedCommit(this.pool, { hash: sha256(commit), roomId, deviceId: caller.deviceId })
  }

  /** A Proposal by which the caller asks to be added with a KeyPackage of its own (RFC 9420 §12.1.8); any other is none of this. */
  async passProposal(roomId: string, caller: Caller, proposal: Uint8Array): Promise<void> {
    const keyPackage = offeredIn(proposal)
    if (!keyPackage || namedIdentity(keyPackage.leafNode.credential) !== caller.client) return
    await this.requireOwnLeaf(caller, keyPackage.leafNode)
    const ref = keyPackageRef(keyPackage.cipherSuite, keyPackage.bytes)
    if (!ref) return
    const expiresAt = new Date(Date.now() + this.config.KEY_PACKAGE_MAX_AGE)
    await recordOwnKeyPackage(this.pool, roomId, { ref, deviceId: caller.deviceId, expiresAt })
  }

  /** The leaf passes here first: its key is a registered one, and a certificate that it shows is of its user's list (docs/identity.md §4). */
  private async requireOwnLeaf({ client, deviceId }: Caller, { signatureKey, extensions }: LeafNode): Promise<void> {
    if ((await unregisteredAmong(this.pool, [{ deviceId, publicKey: signatureKey }])).length > 0) throw new InvalidCommit('credential-key')
    const extension = certificateIn(extensions)
    if (extension === undefined) return
    const leaf = { client, publicKey: signatureKey, extension }
    const [found] = await listedCertificates(this.pool, deviceId, [leaf], false)
    const verdict = found && judgeLeaf(leaf, found, secondsNow())
    if (verdict?.kind === 'broken') throw new InvalidCommit(verdict.rule)
  }
}

/** The leaf by which somebody joins, in a Commit from outside, which is public in every mode. */
export function joinerIn(message: Uint8Array): LeafNode | undefined {
  const decoded = decodeIncoming(message)
  if (decoded.kind === 'malformed' || decoded.value.wireFormat !== 'public-message') return undefined
  const { sender, content } = decoded.value.body
  return sender.kind === 'new-member-commit' && content.kind === 'commit' ? content.path?.leafNode : undefined
}

function offeredIn(message: Uint8Array): KeyPackage | undefined {
  const decoded = decodeIncoming(message)
  if (decoded.kind === 'malformed' || decoded.value.wireFormat !== 'public-message') return undefined
  const { sender, content } = decoded.value.body
  if (sender.kind !== 'new-member-proposal' || content.kind !== 'proposal' || content.proposal.kind !== 'add') return undefined
  return content.proposal.keyPackage
}
