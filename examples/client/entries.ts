import {
  createApplicationMessage,
  decodeMlsMessage,
  encodeMlsMessage,
  makePskIndex,
  processMessage,
  type CiphersuiteImpl,
  type ClientState,
  type IncomingMessageCallback,
  type MlsPrivateMessage,
  type MlsPublicMessage,
} from 'ts-mls'
import { whenProcessing } from './mls/commit-secret.js'
import { acceptExternalProposal } from './mls/external-senders.js'
import { openApplicationMessage } from './mls/private-content.js'
import { suite } from './mls/suites.js'
import type { GroupRecord } from './store.js'
import { fromUtf8, sha256, toHex, utf8 } from './wire.js'
import { clientOfCredential } from './x509/chain.js'

/** One entry of a group's log, the same shape in replies, polls and stream frames. */
export interface LogPage {
  entries: Entry[]
  next_seq?: number
  head_seq: number
  incarnation: number
}

export interface Entry {
  group_id: Uint8Array
  incarnation: number
  seq: number
  kind: 'commit' | 'proposal' | 'application'
  epoch: number
  accepted_at: number
  hash: Uint8Array
  chain: Uint8Array
  message: Uint8Array
}

/**
 * Takes the next entry of the log. The server delivers at least once and in order; what is behind the cursor was seen before.
 * A message that cannot be decrypted is noted and passed over; a Commit that cannot be processed leaves the group stuck.
 */
export async function applyEntry(record: GroupRecord, entry: Entry, impl: CiphersuiteImpl): Promise<SeenCommit | undefined> {
  if (entry.seq <= record.cursor || record.standing !== 'member') return undefined
  let seen: SeenCommit | undefined
  try {
    seen = await apply(record, entry, impl)
  } catch (error) {
    record.failures.push({ seq: entry.seq, reason: error instanceof Error ? error.message : String(error) })
    if (entry.kind === 'commit') record.standing = 'stuck'
  }
  record.cursor = entry.seq
  return seen
}

/** What of a Commit its tree does not show. */
export interface SeenCommit {
  /** Leaf index; undefined: an external Commit. */
  committer: number | undefined
  /** Leaf indices that it has removed. */
  removed: number[]
}

/** @returns of a Commit what was seen of it */
async function apply(record: GroupRecord, entry: Entry, impl: CiphersuiteImpl): Promise<SeenCommit | undefined> {
  const hash = toHex(sha256(entry.message))
  if (hash !== toHex(entry.hash)) throw new Error('The entry is not what its hash says')
  if (record.pending?.hash === hash) return mergePending(record)
  const own = record.sent.get(hash)
  if (own !== undefined) return confirmOwn(record, entry, hash, own)
  const message = decodeFramed(entry.message)
  if (entry.kind === 'application') return readMessage(record, entry, message, impl)
  const { state, seen } = await processHandshake(record.state, message, impl)
  record.state = state
  if (entry.kind !== 'commit') return undefined
  // Another Commit has won this epoch: whatever we had in flight is void.
  delete record.pending
  delete record.voided
  if (record.state.groupActiveState.kind === 'removedFromGroup') record.standing = 'removed'
  return seen
}

/** Our Commit is in the log: only now does the group move on to the state it leads to (RFC 9420 §14). */
export function mergePending(record: GroupRecord): SeenCommit | undefined {
  const { pending } = record
  if (!pending) return undefined
  const committer = record.state.privatePath.leafIndex
  record.state = pending.next
  delete record.voided
  delete record.pending
  return { committer, removed: [] }
}

/** Our own message came back: its place in the order is settled. */
function confirmOwn(record: GroupRecord, entry: Entry, hash: string, text: string): undefined {
  record.sent.delete(hash)
  if (entry.kind !== 'application') return undefined
  const leaf = record.state.ratchetTree[2 * record.state.privatePath.leafIndex]
  const from = leaf?.nodeType === 'leaf' ? clientOfCredential(leaf.leaf.credential) : ''
  record.messages.push({ seq: entry.seq, epoch: entry.epoch, from, text })
}

async function readMessage(record: GroupRecord, entry: Entry, message: Framed, impl: CiphersuiteImpl): Promise<undefined> {
  if (message.wireformat !== 'mls_private_message') throw new Error('Application data must be private (RFC 9420 §6)')
  const opened = await openApplicationMessage(record.state, message.privateMessage, impl)
  record.state = opened.state
  const said = { seq: entry.seq, epoch: entry.epoch, from: opened.client, text: fromUtf8(opened.content) }
  const fails = record.quarantine.length > 0 || record.unverified?.some(({ client }) => client === said.from)
  record.messages.push(fails ? { ...said, unverified: true } : said)
}

type Framed = MlsPrivateMessage | MlsPublicMessage

function decodeFramed(bytes: Uint8Array): Framed {
  const decoded = decodeMlsMessage(bytes, 0)?.[0]
  if (decoded?.wireformat === 'mls_private_message' || decoded?.wireformat === 'mls_public_message') return decoded
  throw new Error('Neither a PublicMessage nor a PrivateMessage')
}

async function processHandshake(
  state: ClientState,
  message: Framed,
  impl: CiphersuiteImpl,
): Promise<{ state: ClientState; seen?: SeenCommit | undefined }> {
  if (message.wireformat === 'mls_public_message' && message.publicMessage.content.sender.senderType === 'external') {
    return { state: await acceptExternalProposal(state, message.publicMessage, impl) }
  }
  const whole = whenProcessing(state, impl)
  let seen: SeenCommit | undefined
  const callback: IncomingMessageCallback = (incoming) => {
    if (incoming.kind === 'commit') seen = seenOf(incoming)
    return whole.callback(incoming)
  }
  return { state: (await processMessage(message, state, makePskIndex(state, {}), callback, whole.impl)).newState, seen }
}

type IncomingCommit = Extract<Parameters<IncomingMessageCallback>[0], { kind: 'commit' }>

function seenOf({ senderLeafIndex: committer, proposals }: IncomingCommit): SeenCommit {
  return { committer, removed: proposals.flatMap(({ proposal }) => (proposal.proposalType === 'remove' ? [proposal.remove.removed] : [])) }
}

/** A text as an MLSMessage for the group. The key of its generation is used then, whatever becomes of the message. */
export async function encryptText(record: GroupRecord, text: string): Promise<Uint8Array> {
  const made = await createApplicationMessage(record.state, utf8(text), (await suite(record.suite)).impl)
  const message = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage: made.privateMessage })
  record.state = made.newState
  record.sent.set(toHex(sha256(message)), text)
  return message
}
