import { KEPT_TREES } from '../../delivery/retention/group-storage.repository.js'
import { type Sql, callFunction } from '../../platform/postgres/sql.js'
import { rowOfGroup } from './group-row.js'

/**
 * What one submission came to. `accepted` and `duplicate` (the original acceptance, 24 h idempotency) carry the entry;
 * every other outcome carries the group's present epoch and head.
 */
export type SubmissionOutcome = AcceptedSubmission | RefusedSubmission
/** The entry is in the log, now or since before; `epoch` is the group's after it, `chain` that of the entry. */
export interface AcceptedSubmission {
  kind: 'accepted' | 'duplicate'
  seq: bigint
  epoch: bigint
  chain: Buffer
  incarnation: number
}
export type RefusedSubmission =
  | {
      kind:
        'stale' | 'ahead' | 'frozen' | 'not-a-member' | 'banned' | 'retry' | 'key-package-used' | 'incarnation' | 'id-taken' | 'no-consent'
      headSeq: bigint
      epoch: bigint
      incarnation: number
    }
  /** `allowed` bytes. */
  | { kind: 'group-full' | 'account-full'; allowed: number }
  | { kind: 'unknown' | 'deleted' }

/** A device that joins by a Commit, and which of its Welcomes (index into `welcomes`) is for it, if any. */
export interface AddedDevice {
  deviceId: bigint
  welcome: number | null
  /** The user who wants it in, by a Proposal that the Commit carries out; absent: the committer. */
  proposedBy?: bigint | undefined
}

/** A device that is out after a Commit, and why, as `member.ended` says it. */
export interface RemovedDevice {
  deviceId: bigint
  reason: 'removed' | 'left' | 'revoked' | 'resync'
}

/** The certificate with which a device of this provider comes in, or changes its leaf, as it was judged. */
export interface LeafCertificateRow {
  deviceId: bigint
  /** Of its entry in the user's list. */
  number: number
  /** Number of the entry that has replaced it; null: active. */
  ended: number | null
}

/** The Remove that a pending leave or revocation needs again in the new epoch, signed by the server (§4). */
export interface Followup {
  deviceId: bigint
  bytes: Uint8Array
  hash: Uint8Array
}

/** Bytes that a group, and all groups of who created it, may keep. Absent: no limit. */
export interface StorageLimits {
  maxGroupBytes?: number
  maxAccountBytes?: number
}

/** Everything one Commit changes. `epoch` is the one it was sent in; `hash` is SHA-256 of `bytes`. */
export interface CommitSubmission extends StorageLimits {
  /** Ours: members of other domains are reached through their providers. */
  domain: string
  /** KeyPackageRefs that the Welcomes answer: nobody is given those again. */
  usedRefs: readonly Uint8Array[]
  /** Those of them that this Commit spends (RFC 9420 §10): not the ones that a Proposal has spent before. */
  freshRefs: readonly Uint8Array[]
  /** Whose they are, in the same order; null: each was found by what this server handed out or passed on. */
  freshDevices: readonly bigint[] | null
  gid: bigint
  /** The group's when the Commit was judged. */
  incarnation: number
  /** The incarnation that the sender names, 0 if none; absent: not asked. */
  madeIn?: number | undefined
  deviceId: bigint
  userId: bigint
  /** The committer joins or resyncs by this Commit (RFC 9420 §12.4.3.2), so no membership is asked for. */
  external: boolean
  policyVersion: bigint
  epoch: bigint
  hash: Uint8Array
  bytes: Uint8Array
  added: readonly AddedDevice[]
  removed: readonly RemovedDevice[]
  welcomes: readonly { bytes: Uint8Array; expiresAt: Date }[]
  groupInfo: Uint8Array | null
  tree: Uint8Array | null
  /** Private mode: the client URIs that the bundle claims to remove. NULL in public mode. */
  claimedRemoved: readonly string[] | null
  reinit: boolean
  /** Group id that the ReInit announces for the successor; null: none, or (private mode) nobody said. */
  announced?: Uint8Array | null
  /** Seconds for which the place of a group that is reinitialized is reserved for its admins. */
  grace?: number
  /** Client URIs of which one has to be a member: by their certificates the joiner has its right. Absent: it needs none. */
  vouchers?: readonly string[] | undefined
  certificates: readonly LeafCertificateRow[]
  followups: readonly Followup[]
  /** Pending devices whose Remove cannot be signed for the new epoch: their leaf is unknown from then on. */
  unsigned: readonly bigint[]
}

/** A Proposal that was judged and is to be written. `hash` is SHA-256 of `bytes`, which are an MLSMessage. */
export interface ProposalSubmission extends StorageLimits {
  gid: bigint
  incarnation: number
  /** The incarnation that the sender names, 0 if none; absent: not asked, as for the server's own. */
  madeIn?: number | undefined
  /** NULL for the server's own proposals (external sender). */
  deviceId: bigint | null
  mustBeMember: boolean
  epoch: bigint
  hash: Uint8Array
  bytes: Uint8Array
  /** Recorded in the same transaction: this device is on its way out. */
  pending: {
    deviceId: bigint
    leafIndex: number | null
    reason: 'leave' | 'revoke'
  } | null
  /** What it was judged by: nothing is written if that is not so any more. Absent: nothing was judged. */
  judgedBy?: { policyVersion: bigint; lastHandshake: bigint } | undefined
  /** The KeyPackage of an Add, and whose it is: the Proposal spends it, and in a private group Welcomes find the device by its ref. */
  added?: { ref: Uint8Array; deviceId: bigint; cipherSuite: number; expiresAt: Date } | undefined
}

interface SubmissionRow {
  outcome: SubmissionOutcome['kind']
  seq: bigint
  epoch: bigint
  chain: Buffer
  incarnation: number
}

/** Invariants 1, 2 and 5: one round trip, one transaction, see `submit_commit` in prisma/functions/submissions.sql. */
export async function submitCommit(sql: Sql, commit: CommitSubmission): Promise<SubmissionOutcome> {
  return submit(sql, 'submit_commit', commit, {
    p_domain: commit.domain,
    p_refs: commit.usedRefs,
    p_gid: commit.gid,
    p_incarnation: commit.incarnation,
    p_device: commit.deviceId,
    p_user: commit.userId,
    p_external: commit.external,
    p_policy_version: commit.policyVersion,
    p_epoch: commit.epoch,
    p_hash: commit.hash,
    p_bytes: commit.bytes,
    p_added: commit.added.map((device) => device.deviceId),
    p_added_welcome: commit.added.map((device) => (device.welcome === null ? null : device.welcome + 1)),
    p_added_by: commit.added.map((device) => device.proposedBy ?? commit.userId),
    p_removed: commit.removed.map((device) => device.deviceId),
    p_removed_reason: commit.removed.map((device) => device.reason),
    p_welcome: commit.welcomes.map((welcome) => welcome.bytes),
    p_welcome_expires: commit.welcomes.map((welcome) => welcome.expiresAt),
    p_group_info: commit.groupInfo,
    p_tree: commit.tree,
    p_claimed_removed: commit.claimedRemoved,
    p_reinit: commit.reinit,
    p_followup: commit.followups.map((followup) => followup.bytes),
    p_followup_hash: commit.followups.map((followup) => followup.hash),
    p_followup_device: commit.followups.map((followup) => followup.deviceId),
    p_unsigned: commit.unsigned,
    p_fresh_refs: commit.freshRefs,
    p_fresh_devices: commit.freshDevices,
    p_made_in: commit.madeIn ?? null,
    p_max_group: commit.maxGroupBytes ?? null,
    p_max_account: commit.maxAccountBytes ?? null,
    p_trees: KEPT_TREES,
    p_announced: commit.announced ?? null,
    p_grace: commit.grace ?? 0,
    ...certified(commit),
  })
}

function certified({ vouchers, certificates }: CommitSubmission): Record<string, unknown> {
  return {
    p_vouchers: vouchers ?? null,
    p_certified: certificates.map(({ deviceId }) => deviceId),
    p_certificate: certificates.map(({ number }) => number),
    p_ended: certificates.map(({ ended }) => ended),
  }
}

/** A Proposal for the current epoch (§4 windows); see `submit_proposal` in prisma/functions/submissions.sql. */
export async function submitProposal(sql: Sql, proposal: ProposalSubmission): Promise<SubmissionOutcome> {
  return submit(sql, 'submit_proposal', proposal, {
    p_gid: proposal.gid,
    p_incarnation: proposal.incarnation,
    p_device: proposal.deviceId,
    p_member: proposal.mustBeMember,
    p_epoch: proposal.epoch,
    p_hash: proposal.hash,
    p_bytes: proposal.bytes,
    p_pending_device: proposal.pending?.deviceId ?? null,
    p_pending_leaf: proposal.pending?.leafIndex ?? null,
    p_pending_reason: proposal.pending?.reason ?? null,
    p_policy_version: proposal.judgedBy?.policyVersion ?? null,
    p_last_handshake: proposal.judgedBy?.lastHandshake ?? null,
    p_add_ref: proposal.added?.ref ?? null,
    p_add_device: proposal.added?.deviceId ?? null,
    p_add_suite: proposal.added?.cipherSuite ?? null,
    p_add_expires: proposal.added?.expiresAt ?? null,
    p_made_in: proposal.madeIn ?? null,
    p_max_group: proposal.maxGroupBytes ?? null,
    p_max_account: proposal.maxAccountBytes ?? null,
  })
}

/** OFFSET 0: without it PostgreSQL would call the function once for each column. */
async function submit(
  sql: Sql,
  name: string,
  submission: StorageLimits & { gid: bigint },
  parameters: Record<string, unknown>,
): Promise<SubmissionOutcome> {
  const { call, values } = callFunction(name, parameters)
  const text = `SELECT (s).* FROM (SELECT ${call} AS s OFFSET 0) q`
  const { rows } = await sql.query<SubmissionRow>({ name, text, values, row: rowOfGroup(submission.gid) })
  return toOutcome(rows[0], submission)
}

function toOutcome(row: SubmissionRow | undefined, limits: StorageLimits): SubmissionOutcome {
  if (!row) throw new Error('a submission function returned no row')
  const { outcome, seq, epoch, chain, incarnation } = row
  if (outcome === 'accepted' || outcome === 'duplicate') return { kind: outcome, seq, epoch, chain, incarnation }
  if (outcome === 'unknown' || outcome === 'deleted') return { kind: outcome }
  if (outcome === 'group-full') return { kind: outcome, allowed: limits.maxGroupBytes ?? 0 }
  if (outcome === 'account-full') return { kind: outcome, allowed: limits.maxAccountBytes ?? 0 }
  return { kind: outcome, headSeq: seq, epoch, incarnation }
}
