import type { LogRow } from '../../../delivery/read/entry.js'
import { extendChain, KIND_OF_LETTER } from '../../../protocol/log-chain.js'
import { sameBytes } from '../../../protocol/bytes.js'
import type { NotifyBatch } from '../../../protocol/mimi/microchat/notify-batch.js'
import type { Replica } from './replica.repository.js'

/** How a batch relates to a replica. `from`: the index of the first new entry. */
export type Placement =
  | { readonly kind: 'append'; readonly from: number }
  /** Continues after a gap of entries that no local member could read, or that are retired. */
  | { readonly kind: 'jump' }
  /** The hub continues in a new incarnation, from an earlier place. */
  | { readonly kind: 'reincarnate' }
  /** It does not begin where the replica ends. */
  | { readonly kind: 'have' }
  /** It says otherwise of a place than what is stored, as entry number `at` of the batch shows (-1: the place before it). */
  | { readonly kind: 'contradiction'; readonly at: number }

/**
 * Decides what to do with a batch. `stored` is the chain value of the replica at a seq, as far as it has it.
 */
export function placeBatch(
  replica: Pick<Replica, 'incarnation' | 'headSeq' | 'headChain' | 'hasLocalMembers'>,
  batch: Pick<NotifyBatch, 'incarnation' | 'gap' | 'firstSeq' | 'previousChain'>,
  entries: readonly Pick<LogRow, 'seq' | 'chain' | 'kind' | 'epoch' | 'hash'>[],
  stored: (seq: bigint) => Uint8Array | undefined,
): Placement {
  if (batch.incarnation < replica.incarnation) return { kind: 'have' }
  const next = replica.headSeq + 1n
  const gapMatters = batch.firstSeq > next && (batch.gap === 'none' || (batch.gap === 'rejoined' && replica.hasLocalMembers))
  if (gapMatters) return { kind: 'have' }
  if (batch.incarnation > replica.incarnation) return { kind: 'reincarnate' }
  if (batch.firstSeq > next) return { kind: 'jump' }
  // A gap that the hub calls retired must not hide another history.
  const [first] = entries
  if (batch.gap === 'retired' && first?.seq === next && !follows(replica.headChain, first)) return { kind: 'contradiction', at: 0 }
  const before = batch.gap === 'retired' ? undefined : stored(batch.firstSeq - 1n)
  if (before && !sameBytes(before, batch.previousChain)) return { kind: 'contradiction', at: -1 }
  const known = entries.filter(({ seq }) => seq < next)
  const other = known.findIndex(({ seq, chain }) => {
    const here = stored(seq)
    return here !== undefined && !sameBytes(here, chain)
  })
  return other >= 0 ? { kind: 'contradiction', at: other } : { kind: 'append', from: known.length }
}

function follows(
  chain: Uint8Array,
  { seq, kind, epoch, hash, chain: claimed }: Pick<LogRow, 'seq' | 'chain' | 'kind' | 'epoch' | 'hash'>,
): boolean {
  return sameBytes(extendChain(chain, { seq, kind: KIND_OF_LETTER[kind], epoch, hash }), claimed)
}
