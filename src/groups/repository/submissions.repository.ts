import type { Sql } from '../../platform/postgres/sql.js'

/**
 * What one submission came to. `accepted` and `duplicate` (the original acceptance, 24 h idempotency) carry the entry;
 * every other outcome carries the group's present epoch and head.
 */
export type Submission = Admitted | Refusal
export interface Admitted {
  kind: 'accepted' | 'duplicate'
  seq: bigint
  epoch: bigint
  chain: Buffer
  incarnation: number
}
export type Refusal =
  | {
      kind: 'stale' | 'ahead' | 'frozen' | 'not-a-member' | 'banned' | 'retry'
      headSeq: bigint
      epoch: bigint
      incarnation: number
    }
  | { kind: 'unknown' | 'deleted' }

/** A device that joins by a Commit, and which of its Welcomes (index into `welcomes`) is for it, if any. */
export interface AddedDevice {
  deviceId: bigint
  welcome: number | null
}

export interface RemovedDevice {
  deviceId: bigint
  reason: 'removed' | 'left' | 'revoked' | 'resync'
}

/** The Remove that a pending leave or revocation needs again in the new epoch, signed by the server (§4). */
export interface Followup {
  deviceId: bigint
  bytes: Uint8Array
  hash: Uint8Array
}

/** Everything one Commit changes. `epoch` is the one it was sent in; `hash` is SHA-256 of `bytes`. */
export interface CommitSubmission {
  /** Ours: members of other domains are reached through their providers. */
  domain: string
  /** KeyPackageRefs that the Welcomes answer: nobody is given those again. */
  usedRefs: readonly Uint8Array[]
  gid: bigint
  incarnation: number
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
  followups: readonly Followup[]
  /** Pending devices whose Remove cannot be signed for the new epoch: their leaf is unknown from then on. */
  unsigned: readonly bigint[]
}

export interface ProposalSubmission {
  gid: bigint
  incarnation: number
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
}

interface SubmissionRow {
  outcome: Submission['kind']
  seq: bigint
  epoch: bigint
  chain: Buffer
  incarnation: number
}

/** Invariants 1, 2 and 5: one round trip, one transaction, see `submit_commit_v2`. */
export async function submitCommit(sql: Sql, commit: CommitSubmission): Promise<Submission> {
  const { rows } = await sql.query<SubmissionRow>({
    name: 'submit_commit_v2',
    text: `SELECT (s).* FROM (SELECT submit_commit_v2(
      $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25) AS s OFFSET 0) q`,
    values: commitParameters(commit),
  })
  return toSubmission(rows[0])
}

function commitParameters(commit: CommitSubmission): unknown[] {
  return [
    commit.domain,
    commit.usedRefs,
    commit.gid,
    commit.incarnation,
    commit.deviceId,
    commit.userId,
    commit.external,
    commit.policyVersion,
    commit.epoch,
    commit.hash,
    commit.bytes,
    commit.added.map((device) => device.deviceId),
    commit.added.map((device) => (device.welcome === null ? null : device.welcome + 1)),
    commit.removed.map((device) => device.deviceId),
    commit.removed.map((device) => device.reason),
    commit.welcomes.map((welcome) => welcome.bytes),
    commit.welcomes.map((welcome) => welcome.expiresAt),
    commit.groupInfo,
    commit.tree,
    commit.claimedRemoved,
    commit.reinit,
    commit.followups.map((followup) => followup.bytes),
    commit.followups.map((followup) => followup.hash),
    commit.followups.map((followup) => followup.deviceId),
    commit.unsigned,
  ]
}

/** A Proposal for the current epoch (§4 windows); see `submit_proposal_v1`. */
export async function submitProposal(sql: Sql, proposal: ProposalSubmission): Promise<Submission> {
  const { rows } = await sql.query<SubmissionRow>({
    name: 'submit_proposal_v1',
    text: 'SELECT (s).* FROM (SELECT submit_proposal_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS s OFFSET 0) q',
    values: [
      proposal.gid,
      proposal.incarnation,
      proposal.deviceId,
      proposal.mustBeMember,
      proposal.epoch,
      proposal.hash,
      proposal.bytes,
      proposal.pending?.deviceId ?? null,
      proposal.pending?.leafIndex ?? null,
      proposal.pending?.reason ?? null,
    ],
  })
  return toSubmission(rows[0])
}

function toSubmission(row: SubmissionRow | undefined): Submission {
  if (!row) throw new Error('a submission function returned no row')
  const { outcome, seq, epoch, chain, incarnation } = row
  if (outcome === 'accepted' || outcome === 'duplicate') return { kind: outcome, seq, epoch, chain, incarnation }
  if (outcome === 'unknown' || outcome === 'deleted') return { kind: outcome }
  return { kind: outcome, headSeq: seq, epoch, incarnation }
}
