import type { EvidenceVerdict, Signer } from '../../protocol/evidence/verify-evidence.js'

/**
 * What a file proves about whom, by which keys, and what it does not, in lines for a reader.
 * @param isAnchored whether the keys were compared with one that the reader knows
 */
export function describeVerdict(verdict: EvidenceVerdict, isAnchored = false): string {
  if (verdict.kind === 'not-proven') return `NOT PROVEN: ${verdict.why}.`
  const { document, what, signers } = verdict
  const [first, second] = document.heads
  return [
    `PROVEN: the holder of the keys below, for ${document.hub}, ${what}.`,
    `  group ${first.group_id}, room ${first.room}`,
    `  first head:  incarnation ${first.incarnation}, seq ${first.seq}, signed ${time(first.signed_at_ms)} for ${first.follower}, ${keyOf(signers[0])}`,
    `  second head: incarnation ${second.incarnation}, seq ${second.seq}, signed ${time(second.signed_at_ms)} for ${second.follower}, ${keyOf(signers[1])}`,
    isAnchored
      ? `PROVEN: a key that you gave vouches for these keys.`
      : `NOT PROVEN: that the keys are those of ${document.hub}. Compare them with the directory that it shows, or that you have pinned, and give one with --key.`,
    ...(document.kind === 'new-incarnation'
      ? ['NOT PROVEN: whether the hub has lost these entries, as by a restore of its database, or has dropped them.']
      : []),
    'NOT PROVEN: when and by whom it was found; only what the hub has signed is.',
  ].join('\n')
}

function keyOf({ key }: Signer): string {
  return `key ${key.keyId} = ${key.x}`
}

function time(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? `at ${ms}` : date.toISOString()
}
