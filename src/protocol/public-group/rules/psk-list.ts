import { brokenUnless, type BrokenRule } from '../../mls/broken-rule.js'
import { foundsGroup } from '../proposal.js'
import type { SentProposal } from '../sent-proposal.js'
import { refKey } from '../state.js'

/** The rules for the PSKs of a Commit, taken together. */
export function pskList(proposals: readonly SentProposal[]): BrokenRule | undefined {
  const psks = proposals.flatMap(({ proposal }) => (proposal.kind === 'psk' ? [proposal.psk] : []))
  const ids = psks.map(({ bytes }) => refKey(bytes))
  return (
    // RFC 9420 §12.2
    brokenUnless(new Set(ids).size === ids.length, 'psk-repeated') ??
    // RFC 9420 §12.4.3.1: anyone who joins by this Commit refuses a second one
    brokenUnless(psks.filter(foundsGroup).length <= 1, 'psk-usage-once')
  )
}
