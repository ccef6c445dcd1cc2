import { initialChain } from '../../../protocol/log-chain.js'
import { sameBytes } from '../../../protocol/bytes.js'
import type { Sql } from '../../../platform/postgres/sql.js'
import { stopReplica } from '../../evidence/evidence.repository.js'
import { keepNewIncarnation, type SignedBatch } from '../../evidence/findings.js'
import { BatchRefused } from '../../inbound/inbound.problems.js'
import { chainsOf, type Replica } from './replica.repository.js'
import { incarnationsBegun, noteIncarnation, reincarnate, type BegunIncarnations } from './incarnations.repository.js'

/**
 * How often a hub may begin a new incarnation in a day, of one group and by how many numbers in all, how many entries may go with one, and with all
 * of the hub that are remembered: some 100 bytes for each entry.
 */
export const INCARNATION_LIMITS = { ofGroup: 3, ofHub: 3, entries: 10_000n, entriesOfHub: 1_000_000n } as const

/** `told`: devices with a resync in their inbox. `stopped`: it is more than a restore explains. */
export type NewIncarnation =
  | { readonly kind: 'begun'; readonly told: readonly bigint[]; readonly vanished: bigint }
  | { readonly kind: 'stopped'; readonly why: string }

/**
 * The hub continues a group in a new incarnation, as after a restore. What goes with it is kept as evidence and for its members; how often
 * and how far back that happens is limited, as a hub could rewrite a history in this way. @throws BatchRefused if it begins as none does
 */
export async function beginIncarnation(sql: Sql, replica: Replica, signed: SignedBatch): Promise<NewIncarnation> {
  const { batch, head } = signed
  const keptSeq = batch.firstSeq - 1n
  if (batch.gap === 'none' && !sameBytes(batch.previousChain, initialChain(batch.groupId, batch.incarnation)))
    throw new BatchRefused('a new incarnation does not begin with its initial chain value')
  const vanished = replica.headSeq > keptSeq ? replica.headSeq - keptSeq : 0n
  const { hub } = head.statement
  const begun = await incarnationsBegun(sql, { gid: replica.gid, hub, incarnation: batch.incarnation })
  const why = begun.isAccepted ? undefined : tooMuch(begun, keptSeq, vanished)
  const start = { seq: keptSeq, chain: (await chainsOf(sql, replica.gid, keptSeq, keptSeq)).get(keptSeq) ?? new Uint8Array(32) }
  if (why !== undefined || vanished > 0n)
    await keepNewIncarnation(sql, replica.gid, start, signed, {
      why: why ?? `${vanished} entries are gone with a new incarnation`,
      stops: why !== undefined,
    })
  if (why !== undefined) {
    await stopReplica(sql, replica.gid, 'rewritten')
    return { kind: 'stopped', why }
  }
  await noteIncarnation(sql, { gid: replica.gid, hub, incarnation: batch.incarnation, keptSeq, vanished })
  const told = await reincarnate(sql, replica.gid, batch.incarnation, keptSeq, batch.previousChain)
  return { kind: 'begun', told, vanished }
}

/** Why a restore does not explain it. */
function tooMuch(begun: BegunIncarnations, keptSeq: bigint, vanished: bigint): string | undefined {
  if (begun.ofGroup >= INCARNATION_LIMITS.ofGroup) return `a new incarnation after ${begun.ofGroup} others of the group within a day`
  if (begun.ofHub >= INCARNATION_LIMITS.ofHub) return `a new incarnation after ${begun.ofHub} others of the hub within a day`
  if (vanished === 0n) return undefined
  if (vanished > INCARNATION_LIMITS.entries) return `${vanished} entries would be gone with a new incarnation`
  if (begun.vanishedOfHub + vanished > INCARNATION_LIMITS.entriesOfHub)
    return `${begun.vanishedOfHub + vanished} entries of the hub would be gone with new incarnations within 30 days`
  if (keptSeq < begun.floorSeq) return 'a new incarnation begins before the entries that are still here'
  if (begun.joinedSeq !== null && keptSeq < begun.joinedSeq) return 'a new incarnation begins before the members here had joined'
  return undefined
}
