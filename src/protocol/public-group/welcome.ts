import { brokenUnless, type BrokenRule } from '../mls/broken-rule.js'
import { kemOutputBytes } from '../mls/hpke-key.js'
import type { Welcome } from '../mls/structures/welcome.js'
import { refKey } from './state.js'

/** The rules for the Welcomes of a Commit, given the KeyPackageRefs of its Adds. */
export function welcomesOfCommit(welcomes: readonly Welcome[], suite: number, added: readonly Uint8Array[]): BrokenRule | undefined {
  return welcomeSuite(welcomes, suite) ?? welcomeMembers(welcomes, added) ?? welcomeKemOutput(welcomes, suite)
}

/** RFC 9420 §12.4.3.1. */
function welcomeSuite(welcomes: readonly Welcome[], suite: number): BrokenRule | undefined {
  return brokenUnless(
    welcomes.every(({ cipherSuite }) => cipherSuite === suite),
    'welcome-cipher-suite',
  )
}

/** RFC 9420 §12.4.3.1: one Welcome or several, but together exactly one secret for each new member. */
function welcomeMembers(welcomes: readonly Welcome[], added: readonly Uint8Array[]): BrokenRule | undefined {
  const invited = welcomes.flatMap(({ refs }) => refs.map(refKey)).sort()
  const expected = added.map(refKey).sort()
  const same = invited.length === expected.length && invited.every((ref, at) => ref === expected[at])
  return brokenUnless(same, 'welcome-members')
}

/** RFC 9420 §12.4.3.1: what the secrets are encrypted with is all of them that a server can look at. */
function welcomeKemOutput(welcomes: readonly Welcome[], suite: number): BrokenRule | undefined {
  const lengths = welcomes.flatMap(({ kemOutputs }) => kemOutputs)
  return brokenUnless(
    lengths.every((length) => length === kemOutputBytes(suite)),
    'welcome-kem-output',
  )
}
