import type { CertificateRule } from '../../authentication/directory/leaf-certificates.js'
import type { Caller } from '../../authentication/session/caller.js'
import type { LifetimeLimits } from '../../protocol/mls/leaf-node-rules.js'
import type { Welcome } from '../../protocol/mls/structures/welcome.js'
import type { SentProposal } from '../../protocol/public-group/proposals/pending-proposals.js'
import type { CommitContext, SubmissionContext } from '../commit/commit-context.js'
import type { ValidCommit } from '../../protocol/public-group/commit.js'
import type { PublicGroupState, Member } from '../../protocol/public-group/state.js'
import type { Bundle } from '../input/bundle.js'
import type { Device, NamedLeaf } from './roster.repository.js'
import type { AddedDevice, CommitSubmission, RemovedDevice } from '../repository/submissions.repository.js'

/** Which devices a Commit brings in and takes out, and which Welcomes wait for whom. */
export interface DeviceChanges {
  added: readonly (AddedDevice & { userId: bigint })[]
  removed: readonly RemovedDevice[]
  welcomes: CommitSubmission['welcomes']
  certificates: CommitSubmission['certificates']
}

/**
 * What leaves mean for devices. The rules of RFC 9420 know leaves only; that a leaf is a device of the directory, and what its user
 * may do, is the application's (RFC 9420 §5.3.1), and stands behind this.
 */
export interface Membership {
  /**
   * Refuses what is not signed for a leaf of the caller's.
   * @param keys those registered for the caller's device, in canonical form, if they were read already
   * @throws Forbidden
   */
  requireOwnLeaf(caller: Pick<Caller, 'client' | 'deviceId'>, signer: Member | undefined, keys?: readonly Uint8Array[]): Promise<void>
  /** The Welcomes that have to answer the Adds of a Commit; undefined: nobody asks for any. */
  welcomesOf(bundle: Pick<Bundle, 'welcomes'>): readonly Welcome[] | undefined
  /** What new leaves' lifetimes are held against now; undefined: nothing. */
  lifetimes(): LifetimeLimits | undefined
  /** The rules that new and changed leaves break by their credentials, by client URI (docs/x509.md §2). */
  credentialFaults(leaves: readonly NamedLeaf[]): Promise<ReadonlyMap<string, CertificateRule>>
  /** @throws the problem that a valid Commit has with the directory or the policy */
  changesOf(context: CommitContext, before: PublicGroupState, verdict: ValidCommit): Promise<DeviceChanges>
  /**
   * Refuses a Proposal whose sender could not commit it, and one that no Commit could carry for what the directory knows.
   * @returns the device that an Add would bring in
   * @throws InvalidCommit, PolicyRefusal
   */
  authorizeProposal(context: SubmissionContext, state: PublicGroupState, sent: SentProposal): Promise<Device | undefined>
}

/** Provider token of the process's one `Membership`. */
export const MEMBERSHIP = Symbol('MEMBERSHIP')
