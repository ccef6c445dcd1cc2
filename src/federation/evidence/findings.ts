import type { LogRow } from '../../delivery/read/entry.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { sameBytes } from '../../protocol/bytes.js'
import type { EvidenceDocument, EvidenceHead, EvidenceKind } from '../../protocol/evidence/document.js'
import { extendChain, KIND_OF_LETTER } from '../../protocol/log-chain.js'
import type { NotifyBatch } from '../../protocol/mimi/microchat/notify-batch.js'
import { findOtherRoom, isEvidenceOpen, keepEvidence, stopReplica } from './evidence.repository.js'
import { headOfEvidence, type StoredLink } from './head-record.js'
import { directoriesBetween, directoryOfKey } from './kept-directories.repository.js'
import { headFrom, latestHead, linksOf, type KeptHead } from './kept-heads.repository.js'
import type { CheckedHead } from './signed-heads.js'

/** A place of a log and its chain value. */
export interface Place {
  readonly seq: bigint
  readonly chain: Uint8Array
}

/** A batch with the head that its hub has signed for it. */
export interface SignedBatch {
  readonly batch: NotifyBatch
  readonly entries: readonly LogRow[]
  readonly head: CheckedHead
}

/**
 * The hub has signed another history than the one that is stored: both are kept, and the group is followed no further.
 * @param at a place of the replica that the batch contradicts, as entry number `index` of it shows (-1: the place before it)
 */
export async function keepContradiction(sql: Sql, gid: bigint, at: Place, index: number, signed: SignedBatch): Promise<void> {
  const { batch, head } = signed
  const kept = await headFrom(sql, gid, batch.incarnation, at.seq)
  const first = kept && (await pathTo(sql, gid, kept, at))
  const second = headOfEvidence(head, ...pathOf(signed, index))
  await keep(
    sql,
    'two-histories',
    { ...placeOf(head), seq: at.seq },
    { kept, first, second },
    {
      why: `it has signed another history, which differs at seq ${at.seq}`,
      stops: true,
    },
  )
  await stopReplica(sql, gid, 'equivocation')
}

/** The hub has said of a group that it is public, and that it is private. */
export async function keepOtherMode(sql: Sql, gid: bigint, kept: KeptHead, head: CheckedHead): Promise<void> {
  const [first, second] = [alone(kept), alone(head)]
  await keep(
    sql,
    'two-modes',
    { ...placeOf(head), incarnation: 0, seq: 0n },
    { kept, first, second },
    {
      why: 'it has said of one group that it is public, and that it is private',
      stops: true,
    },
  )
  await stopReplica(sql, gid, 'equivocation')
}

/** The hub has signed a head of a group that is known here in another room of it. Nothing of it is stored. @returns whether it is so */
export async function keepOtherRoom(sql: Sql, head: CheckedHead): Promise<boolean> {
  const { hub, groupId, roomId } = head.statement
  const gid = await findOtherRoom(sql, hub, groupId, roomId)
  const kept = gid === undefined ? undefined : await latestHead(sql, gid)
  if (!kept) return false
  const place = { ...placeOf(head), roomId: kept.statement.roomId, incarnation: 0, seq: 0n }
  await keep(
    sql,
    'two-rooms',
    place,
    { kept, first: alone(kept), second: alone(head) },
    { why: `it has put the group into ${roomId} as well`, stops: false },
  )
  return true
}

/** Entries that the hub had signed are gone by a new incarnation: its head of before and that of the new one are kept. */
export async function keepNewIncarnation(
  sql: Sql,
  gid: bigint,
  start: Place,
  signed: SignedBatch,
  about: { why: string; stops: boolean },
): Promise<void> {
  const kept = await latestHead(sql, gid)
  const first = kept && (await pathTo(sql, gid, kept, start))
  const second = headOfEvidence(signed.head, ...pathOf(signed, -1))
  await keep(sql, 'new-incarnation', { ...placeOf(signed.head), seq: start.seq }, { kept, first, second }, about)
}

type PlaceOfFinding = { hub: string; groupId: Uint8Array; roomId: string; incarnation: number; seq: bigint }

function placeOf({ statement }: CheckedHead): PlaceOfFinding {
  const { hub, groupId, roomId, incarnation, seq } = statement
  return { hub, groupId, roomId, incarnation, seq }
}

/** Two heads that exclude each other; `first` is missing where nothing was kept of what stood there. */
interface Pair {
  readonly kept: KeptHead | undefined
  readonly first: EvidenceHead | undefined
  readonly second: EvidenceHead
}

async function keep(
  sql: Sql,
  kind: EvidenceKind,
  place: PlaceOfFinding,
  { kept, first, second }: Pair,
  about: { why: string; stops: boolean },
): Promise<void> {
  // A file may have megabytes, and a hub can bring the same again with every batch.
  if (await isEvidenceOpen(sql, { ...place, kind })) return
  const document = kept && first ? await documentOf(sql, kind, kept, first, second) : undefined
  await keepEvidence(sql, { ...place, ...about, kind, document })
}

/**
 * The file. Nothing in it is verified here: a hub decides how many signatures there are to check, for minutes if it likes, and the transaction that stops
 * its group must not wait for that. Who shows or exports the file learns what it proves (`verifyEvidence`).
 */
async function documentOf(sql: Sql, kind: EvidenceKind, kept: KeptHead, first: EvidenceHead, second: EvidenceHead): Promise<string> {
  const hashes = [kept.directory, await directoryOfKey(sql, second.hub, second.key_id)].filter((hash) => hash !== null)
  const directories = await directoriesBetween(sql, second.hub, hashes)
  const document: Omit<EvidenceDocument, 'directories'> = {
    format: 'microchat-evidence',
    version: 1,
    kind,
    hub: second.hub,
    found_by: second.follower,
    found_at: new Date().toISOString(),
    heads: [first, second],
  }
  // They are kept as JSON. To parse megabytes of it only to write it again would take longer than all else here.
  return `${JSON.stringify(document).slice(0, -1)},"directories":[${directories.join(',')}]}`
}

function alone(head: CheckedHead): EvidenceHead {
  return headOfEvidence(head, head.statement, [])
}

/** What leads to the head of a batch from the entry at `index`, or from before its first one. */
function pathOf({ batch, entries }: SignedBatch, index: number): [Place, readonly StoredLink[]] {
  // The chain value before an entry after a gap is not known.
  const from = index < 0 && batch.gap === 'retired' && entries.length > 0 ? 0 : index
  const entry = entries[from]
  return entry ? [entry, entries.slice(from + 1)] : [{ seq: batch.firstSeq - 1n, chain: batch.previousChain }, entries]
}

/** What leads to a kept head from `from`, or from as early a place after it as the stored entries are without a gap. */
async function pathTo(sql: Sql, gid: bigint, kept: KeptHead, from: Place): Promise<EvidenceHead> {
  const rows = await linksOf(sql, gid, from.seq + 1n, kept.statement.seq)
  const first = rows.findLastIndex((row, index) => !follows(index === 0 ? from : rows[index - 1], row))
  const start = rows[first]
  return start ? headOfEvidence(kept, start, rows.slice(first + 1)) : headOfEvidence(kept, from, rows)
}

function follows(before: Place | undefined, { seq, kind, epoch, hash, chain }: StoredLink): boolean {
  return before?.seq === seq - 1n && sameBytes(extendChain(before.chain, { seq, kind: KIND_OF_LETTER[kind], epoch, hash }), chain)
}
