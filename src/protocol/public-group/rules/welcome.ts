import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { AEAD_TAG_BYTES, kemOutputBytes } from '../../mls/hpke-key.js'
import type { Welcome } from '../../mls/structures/welcome.js'
import { hex } from '../../bytes.js'

/** RFC 9420 §12.4.3.1: the rules for the Welcomes of a Commit, given the KeyPackageRefs of its Adds. Undefined, or the first one broken. */
export function welcomesOfCommit(welcomes: readonly Welcome[], suite: number, added: readonly Uint8Array[]): BrokenRule | undefined {
  return welcomeSuite(welcomes, suite) ?? welcomeMembers(welcomes, added) ?? welcomeForm(welcomes, suite)
}

/** What a server can see of any Welcome, also where it does not see whom the Commit adds. */
export function welcomeForm(welcomes: readonly Welcome[], suite: number): BrokenRule | undefined {
  return welcomeEmpty(welcomes) ?? welcomeKemOutput(welcomes, suite) ?? welcomeGroupInfo(welcomes)
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
  const invited = welcomes.flatMap(({ refs }) => refs.map(hex)).sort()
  const expected = added.map(hex).sort()
  const same = invited.length === expected.length && invited.every((ref, at) => ref === expected[at])
  return brokenUnless(same, 'welcome-members')
}

/** RFC 9420 §12.4.3.1: nobody could be given it. */
function welcomeEmpty(welcomes: readonly Welcome[]): BrokenRule | undefined {
  return brokenUnless(
    welcomes.every(({ refs }) => refs.length > 0),
    'welcome-empty',
  )
}

/** RFC 9420 §12.4.3.1: what the secrets are encrypted with is all of them that a server can look at, in a suite that it knows. */
function welcomeKemOutput(welcomes: readonly Welcome[], suite: number): BrokenRule | undefined {
  const [lengths, expected] = [welcomes.flatMap(({ kemOutputs }) => kemOutputs), kemOutputBytes(suite)]
  return brokenUnless(expected === undefined || lengths.every((length) => length === expected), 'welcome-kem-output')
}

/** RFC 9420 §12.4.3.1: no AEAD opens less than its tag. */
function welcomeGroupInfo(welcomes: readonly Welcome[]): BrokenRule | undefined {
  return brokenUnless(
    welcomes.every(({ encryptedGroupInfo }) => encryptedGroupInfo >= AEAD_TAG_BYTES),
    'welcome-group-info',
  )
}
