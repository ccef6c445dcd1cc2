import type { QueryConfig } from 'pg'
import { type Sql, callFunction } from '../../platform/postgres/sql.js'

/** What stands for the sender of a message that has none (§9): the caller has checked both. */
export interface SealedSender {
  /** The key by which the post is signed. */
  readonly senderKey: Uint8Array
  /** Row id of the key of the token, and the token's nonce. */
  readonly issuerKey: number
  readonly nonce: Uint8Array
}

/**
 * An application message on its way into a group's log. `hash` is SHA-256 of `bytes`; `deviceId` is for the check of membership, and is not
 * stored.
 */
export interface AppendItem {
  gid: bigint
  /** Null for a message without a sender, which has `sealed` instead. */
  deviceId: bigint | null
  sealed?: SealedSender
  epoch: bigint
  /** The incarnation that the sender says it is in; absent if it says nothing, which is good for epochs that were never used twice. */
  madeIn?: number | undefined
  hash: Uint8Array
  bytes: Uint8Array
}

/**
 * `duplicate`: the original acceptance again. `busy`: somebody else has the group locked. `incarnation`: the message is of another one, or
 * might be. Refusals carry the group's present epoch, where there is a group.
 */
export type AppendOutcome =
  | {
      kind: 'accepted' | 'duplicate'
      seq: bigint
      epoch: bigint
      chain: Buffer
      incarnation: number
      groupId: Buffer
      acceptedAt: Date
    }
  | {
      kind: 'not-a-member' | 'frozen' | 'stale' | 'ahead' | 'full' | 'commit-required' | 'token-spent' | 'incarnation'
      currentEpoch: bigint
      incarnation: number
    }
  | { kind: 'unknown' | 'deleted' | 'busy' }

interface AppendRow {
  outcome: AppendOutcome['kind']
  seq: bigint
  epoch: bigint
  chain: Buffer
  current_epoch: bigint
  incarnation: number
  group_id: Buffer
  accepted_at: Date
}

/**
 * Appends a batch (≤ 128 items, ≤ 1 MB), one outcome per item, in the order of the items. One round trip, one transaction;
 * see `sealed_append_messages` for the checks.
 * @param maxPastEpochs how many epochs a message may be behind its group
 * @param waitMs for groups that others have locked; 0: what is for them comes back `busy`; null: lock_timeout
 * @param maxGroupBytes how many bytes a group may keep; null: no limit
 * @throws what PostgreSQL says after that time, SQLSTATE 55P03
 */
export async function appendMessages(
  sql: Sql,
  items: readonly AppendItem[],
  maxPastEpochs: number,
  waitMs: number | null = null,
  maxGroupBytes: number | null = null,
): Promise<AppendOutcome[]> {
  const parameters = {
    p_gid: items.map((item) => item.gid),
    p_device: items.map((item) => item.deviceId),
    p_epoch: items.map((item) => item.epoch),
    p_length: items.map((item) => item.bytes.length),
    p_hashes: Buffer.concat(items.map((item) => item.hash)),
    p_blob: Buffer.concat(items.map((item) => item.bytes)),
    p_max_past: maxPastEpochs,
    p_made_in: items.map((item) => item.madeIn ?? 0),
    p_wait_ms: waitMs,
    p_max_bytes: maxGroupBytes,
  }
  const sealed = items.some((item) => item.sealed)
  const { rows } = await sql.query<AppendRow>(
    sealed ? statement('sealed_append_messages', { ...parameters, ...sealedParameters(items) }) : statement('append_messages', parameters),
  )
  return rows.map(toOutcome)
}

const COLUMNS = 'outcome, seq, epoch, chain, current_epoch, incarnation, group_id, accepted_at'

/** The function's name is the statement's: `sealed_` keeps it out of traces (src/platform/observability/tracing.ts). */
function statement(name: string, parameters: Record<string, unknown>): QueryConfig {
  const { call, values } = callFunction(name, parameters)
  return { name, text: `SELECT ${COLUMNS} FROM ${call} ORDER BY ord`, values }
}

/** Null for the ordinary messages that are among them. */
function sealedParameters(items: readonly AppendItem[]) {
  return {
    p_sender_key: items.map(({ sealed }) => sealed && Buffer.from(sealed.senderKey)),
    p_issuer_key: items.map(({ sealed }) => sealed?.issuerKey),
    p_nonce: items.map(({ sealed }) => sealed && Buffer.from(sealed.nonce)),
  }
}

function toOutcome(row: AppendRow): AppendOutcome {
  const { outcome, seq, epoch, chain, incarnation, group_id: groupId, accepted_at: acceptedAt } = row
  if (outcome === 'accepted' || outcome === 'duplicate') return { kind: outcome, seq, epoch, chain, incarnation, groupId, acceptedAt }
  if (outcome === 'unknown' || outcome === 'deleted' || outcome === 'busy') return { kind: outcome }
  return { kind: outcome, currentEpoch: row.current_epoch, incarnation }
}
