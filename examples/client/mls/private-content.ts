import type { CiphersuiteImpl, ClientState, PrivateMessage } from 'ts-mls'
import { unprotectPrivateMessage } from 'ts-mls/messageProtection.js'
import { clientOfCredential } from '../x509/chain.js'
import { clientConfig } from './suites.js'

/** What an application message said, and the leaf whose signature it carries. */
export interface Opened {
  state: ClientState
  content: Uint8Array
  /** Client URI in its credential. */
  client: string
}

/**
 * Decrypts an application message of this epoch or of one that is still remembered. The library's `processMessage` does the
 * same but keeps the sender to itself, and a chat wants to know who spoke.
 */
export async function openApplicationMessage(state: ClientState, message: PrivateMessage, impl: CiphersuiteImpl): Promise<Opened> {
  const past = message.epoch < state.groupContext.epoch
  const epoch = past ? state.historicalReceiverData.get(message.epoch) : { ...state, senderDataSecret: state.keySchedule.senderDataSecret }
  if (!epoch) throw new Error(`The keys of epoch ${message.epoch} are gone`)
  const { senderDataSecret, secretTree, ratchetTree, groupContext } = epoch
  const opened = await unprotectPrivateMessage(
    senderDataSecret,
    message,
    secretTree,
    ratchetTree,
    groupContext,
    clientConfig.keyRetentionConfig,
    impl,
  )
  const { content } = opened.content
  if (content.contentType !== 'application' || content.sender.senderType !== 'member') throw new Error('Not an application message')
  const leaf = ratchetTree[2 * content.sender.leafIndex]
  if (leaf?.nodeType !== 'leaf' || clientOfCredential(leaf.leaf.credential) === '') throw new Error('The sender has no name')
  const next = past
    ? { ...state, historicalReceiverData: withTree(state, message.epoch, opened.tree) }
    : { ...state, secretTree: opened.tree }
  return { state: next, content: content.applicationData, client: clientOfCredential(leaf.leaf.credential) }
}

function withTree(state: ClientState, epoch: bigint, secretTree: ClientState['secretTree']): ClientState['historicalReceiverData'] {
  const past = new Map(state.historicalReceiverData)
  const data = past.get(epoch)
  if (data) past.set(epoch, { ...data, secretTree })
  return past
}
