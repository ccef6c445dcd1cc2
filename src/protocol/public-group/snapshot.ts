import { HASH_OF_SUITE } from '../mls/hashes.js'
import { decodeMessage } from '../mls/message.js'
import { sameBytes } from '../bytes.js'
import { readGroupContext } from '../mls/structures/group-info.js'
import type { PublicMessage } from '../mls/structures/public-message.js'
import { readRatchetTree, writeRatchetTree } from '../mls/structures/ratchet-tree.js'
import { finish, type Steps } from '../steps.js'
import { decodeWholeInSteps, Malformed, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { PendingProposals } from './proposals/pending-proposals.js'
import { addProposal, type PublicGroupState } from './state.js'
import { Tree } from './tree/tree.js'

/** Of the server's own snapshot format, so that a later release can read an older snapshot. */
const FORMAT = 1
/** Those of members, and a Remove by the server for every leaf. */
const MAX_PENDING = 2 ** 17

/** A state as bytes: format, GroupContext, interim transcript hash, ratchet tree, messages of the pending proposals. */
export function serialize(state: PublicGroupState): Uint8Array {
  return finish(serializeInSteps(state))
}

/** `serialize` by steps of one node of the tree; the last one writes the proposals. */
export function* serializeInSteps({ groupContext, interimTranscriptHash, tree, pending }: PublicGroupState): Steps<Uint8Array> {
  const writer = new TlsWriter().uint16(FORMAT).raw(groupContext.bytes).opaque(interimTranscriptHash)
  yield* writeRatchetTree(writer, tree.nodes())
  return writer.vector(pending.values(), (item, { bytes }) => item.opaque(bytes)).written()
}

/**
 * The state that a snapshot holds; `malformed` also where tree and GroupContext do not belong together, for which the whole tree is
 * hashed, or the format is unknown. Never throws.
 */
export function deserialize(bytes: Uint8Array): Decoded<PublicGroupState> {
  return finish(deserializeInSteps(bytes))
}

/**
 * `deserialize` by steps of one node.
 * @param hashes the tree's `joinedHashes`, which are then believed; without them one step hashes the whole tree
 */
export function deserializeInSteps(bytes: Uint8Array, hashes?: Uint8Array): Steps<Decoded<PublicGroupState>> {
  return decodeWholeInSteps(bytes, (reader) => readState(reader, hashes))
}

function* readState(reader: TlsReader, hashes: Uint8Array | undefined): Steps<PublicGroupState> {
  const format = reader.uint16()
  if (format !== FORMAT) throw new Malformed(`snapshot format ${format} is unknown`)
  const groupContext = readGroupContext(reader)
  const interimTranscriptHash = reader.opaque()
  const tree = yield* readTree(reader, groupContext.cipherSuite, hashes)
  if (!sameBytes(tree.hash, groupContext.treeHash)) throw new Malformed('the tree is not that of the GroupContext')
  const messages = yield* reader.vectorInSteps(MAX_PENDING, readPending)
  return messages.reduce(addProposal, { groupContext, tree, interimTranscriptHash, pending: PendingProposals.none })
}

function* readTree(reader: TlsReader, suite: number, hashes: Uint8Array | undefined): Steps<Tree> {
  const algorithm = HASH_OF_SUITE.get(suite)
  if (algorithm === undefined) throw new Malformed(`cipher suite ${suite} is unknown`)
  return yield* Tree.inSteps(algorithm, yield* readRatchetTree(reader), hashes)
}

function readPending(reader: TlsReader): PublicMessage {
  const message = decodeMessage(reader.opaque())
  if (message.kind === 'malformed') throw new Malformed(message.reason)
  if (message.value.wireFormat !== 'public-message') throw new Malformed('a pending proposal is not a PublicMessage')
  return message.value.body
}
