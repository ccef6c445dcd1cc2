import type { LogRow } from '../../../delivery/read/entry.js'
import { decodeIncoming, decodeIncomingHandshake } from '../../../platform/http/incoming-message.js'
import { extendChain, LETTER_OF_KIND } from '../../../protocol/log-chain.js'
import type { MlsMessage } from '../../../protocol/mls/message.js'
import type { Decoded } from '../../../protocol/tls/reader.js'
import { sameBytes } from '../../../protocol/bytes.js'
import type { NotifyBatch } from '../../../protocol/mimi/microchat/notify-batch.js'
import { sha256 } from '../../../protocol/sha256.js'

/**
 * `wrong`: the entries cannot be what the hub says they are. `undecodable`: an entry or a Welcome is no MLSMessage, or its two readers
 * disagree.
 */
export type ChainedEntries =
  | { readonly kind: 'entries'; readonly entries: LogRow[] }
  | { readonly kind: 'wrong'; readonly why: string }
  | { readonly kind: 'undecodable'; readonly reason: string }

/** The entries of a batch as the log keeps them, chained from what the hub says stood before. */
export function chainEntries(batch: NotifyBatch): ChainedEntries {
  if (!isStorable(batch)) return wrong('a number in it is larger than any log has')
  const entries: LogRow[] = []
  const now = Date.now()
  let chain = batch.previousChain
  for (const [index, { kind, epoch, message }] of batch.entries.entries()) {
    const seq = batch.firstSeq + BigInt(index)
    const decoded = readFraming(message.message)
    if (decoded.kind === 'malformed') return { kind: 'undecodable', reason: `entry ${seq} is not an MLSMessage: ${decoded.reason}` }
    const framing = decoded.value
    if (framing?.kind !== kind) return wrong(`entry ${seq} is not a ${kind}`)
    if (!sameBytes(framing.groupId, batch.groupId) || framing.epoch !== epoch) return wrong(`entry ${seq} is of another group or epoch`)
    const hash = sha256(message.message)
    const chainUnknown = index === 0 && batch.gap === 'retired'
    chain = chainUnknown ? batch.previousChain : extendChain(chain, { seq, kind, epoch, hash })
    entries.push({
      seq,
      kind: LETTER_OF_KIND[kind],
      epoch,
      acceptedAt: dateOf(message.acceptedAtMs, now),
      hash,
      chain,
      bytes: message.message,
    })
  }
  for (const { message } of batch.welcomes) {
    const decoded = decodeIncoming(message.message)
    if (decoded.kind === 'malformed') return { kind: 'undecodable', reason: `a Welcome is not an MLSMessage: ${decoded.reason}` }
    if (decoded.value.wireFormat !== 'welcome') return wrong('a Welcome of it is none')
  }
  return { kind: 'entries', entries }
}

interface Framing {
  readonly kind: 'commit' | 'proposal' | 'application'
  readonly groupId: Uint8Array
  readonly epoch: bigint
}

/** What the framing of an entry says; undefined: it is of no log. What a handshake with proposals that are not known here says otherwise is the members' business. */
function readFraming(bytes: Uint8Array): Decoded<Framing | undefined> {
  const decoded = decodeIncoming(bytes)
  if (decoded.kind === 'decoded') return { kind: 'decoded', value: framingOf(decoded.value) }
  const unread = decodeIncomingHandshake(bytes)
  return unread.kind === 'decoded' ? unread : decoded
}

function framingOf({ wireFormat, body }: MlsMessage): Framing | undefined {
  if (wireFormat === 'public-message') return { kind: body.content.kind, groupId: body.groupId, epoch: body.epoch }
  return wireFormat === 'private-message' ? { kind: body.contentType, groupId: body.groupId, epoch: body.epoch } : undefined
}

/** Nothing was accepted later than now: entries are kept for a time after their own. */
function dateOf(ms: bigint, now: number): Date {
  return new Date(ms < BigInt(now) ? Number(ms) : now)
}

/** Far below what the columns hold, and far above what any group reaches. */
export const MAX_NUMBER = 2n ** 53n
const MAX_INCARNATION = 2 ** 31 - 1

function isStorable({ incarnation, firstSeq, postFloor, entries, welcomes }: NotifyBatch): boolean {
  const epochs = [...entries, ...welcomes].map(({ epoch }) => epoch)
  const seqs = welcomes.map(({ seq }) => seq)
  return (
    incarnation >= 1 &&
    incarnation <= MAX_INCARNATION &&
    firstSeq >= 1n &&
    [firstSeq, postFloor, ...epochs, ...seqs].every((number) => number < MAX_NUMBER)
  )
}

function wrong(why: string): { kind: 'wrong'; why: string } {
  return { kind: 'wrong', why }
}
