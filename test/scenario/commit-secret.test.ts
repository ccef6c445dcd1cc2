import { expect, it } from '@jest/globals'
import {
  createCommit,
  createGroup,
  joinGroup,
  makePskIndex,
  processMessage,
  type CiphersuiteImpl,
  type ClientState,
  type Proposal,
} from 'ts-mls'
import { generateKeyPackageWithKey } from 'ts-mls/keyPackage.js'
import { whenCommitting, whenProcessing } from '../../examples/client/mls/commit-secret.js'
import { capabilities, clientConfig, lifetime, suite } from '../../examples/client/mls/suites.js'
import { utf8 } from '../../examples/client/wire.js'

async function keyPackage(name: string, impl: CiphersuiteImpl) {
  const credential = { credentialType: 'basic' as const, identity: utf8(name) }
  return generateKeyPackageWithKey(credential, capabilities([1], []), lifetime(), [], await impl.signature.keygen(), impl)
}

/** Members 0 to `size` - 1, whose paths are blank but for the first one's. */
async function group(size: number, impl: CiphersuiteImpl): Promise<ClientState[]> {
  const [own, ...others] = await Promise.all(Array.from({ length: size }, (_, at) => keyPackage(`m${at}`, impl)))
  const founder = await createGroup(utf8('g'), own!.publicPackage, own!.privatePackage, [], impl, clientConfig)
  const adds = others.map(({ publicPackage }) => ({ proposalType: 'add' as const, add: { keyPackage: publicPackage } }))
  const context = { state: founder, cipherSuite: impl, pskIndex: makePskIndex(founder, {}) }
  const made = await createCommit(context, { wireAsPublicMessage: true, extraProposals: adds })
  const noPsks = makePskIndex(undefined, {})
  const joined = others.map(({ publicPackage, privatePackage }) =>
    joinGroup(made.welcome!, publicPackage, privatePackage, noPsks, impl, made.newState.ratchetTree, undefined, clientConfig),
  )
  return [made.newState, ...(await Promise.all(joined))]
}

/** The suite, and the path secrets from which another was derived (RFC 9420 §7.4). */
function counting(impl: CiphersuiteImpl): { impl: CiphersuiteImpl; derivedFrom: Set<string> } {
  const derivedFrom = new Set<string>()
  const expand: CiphersuiteImpl['kdf']['expand'] = (secret, info, length) => {
    if (Buffer.from(info).includes('MLS 1.0 path')) derivedFrom.add(Buffer.from(secret).toString('hex'))
    return impl.kdf.expand(secret, info, length)
  }
  return { impl: { ...impl, kdf: { ...impl.kdf, expand } }, derivedFrom }
}

it.each([
  ['nobody goes', 4, 0, []],
  ['the left half goes', 4, 2, [0, 1]],
  ['all of a larger left half', 8, 5, [0, 1, 2, 3]],
  ['all but two in different quarters of the right half', 8, 7, [0, 1, 2, 3, 5, 6]],
  ['the right half, so that the tree is cut down', 8, 1, [4, 5, 6, 7]],
  ['the right half and the left half of the left one', 8, 3, [0, 1, 4, 5, 6, 7]],
  ['all but the last leaf of a half-filled tree and one', 5, 4, [0, 1, 2]],
])(
  'a path of n nodes takes n + 1 steps from the leaf’s secret to the commit secret, and all find the same: %s',
  async (_title, size, committer, removed) => {
    const { impl } = await suite(1)
    const states = await group(size, impl)
    const state = states[committer]!
    const proposals = removed.map((leaf): Proposal => ({ proposalType: 'remove', remove: { removed: leaf } }))
    const { impl: counted, derivedFrom } = counting(impl)
    const context = { state, cipherSuite: whenCommitting(state, proposals, counted), pskIndex: makePskIndex(state, {}) }
    const made = await createCommit(context, { wireAsPublicMessage: true, extraProposals: proposals })
    const message = made.commit
    const content = message.wireformat === 'mls_public_message' ? message.publicMessage.content : undefined
    const nodes = content?.contentType === 'commit' ? content.commit.path!.nodes.length : Number.NaN
    expect(derivedFrom.size).toBe(nodes + 1)
    for (const [leaf, other] of states.entries()) {
      if (leaf === committer || removed.includes(leaf) || message.wireformat === 'mls_welcome') continue
      const own = whenProcessing(other, impl)
      const { newState } = await processMessage(message as never, other, makePskIndex(other, {}), own.callback, own.impl)
      expect(newState.keySchedule.epochAuthenticator).toEqual(made.newState.keySchedule.epochAuthenticator)
    }
  },
)
