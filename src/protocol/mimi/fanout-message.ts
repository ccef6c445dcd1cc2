import { readMessage, type MlsMessage } from '../mls/message.js'
import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { readFrank } from './common.js'
import { readTreeOption, writeTreeOption, type TreeOption } from './tree-option.js'

const MAX_STAPLED = 256
/** In one `notify` of the draft, which has as many stapled to all of them together as one may have. */
const MAX_MESSAGES = 64

/** One message on its way from the hub to a follower. */
export interface FanoutMessage {
  /** When the hub accepted it, milliseconds since the epoch. */
  readonly acceptedAtMs: bigint
  /** MLSMessage. */
  readonly message: Uint8Array
  readonly kind: 'application' | 'proposal' | 'commit' | 'welcome'
  /** The tree that comes with a Welcome. */
  readonly tree?: TreeOption
  /** With a Proposal, those sent along; with a Commit, the hub's proposals for the epoch that it makes. MLSMessages. */
  readonly proposals: readonly Uint8Array[]
}

/** `FanoutMessage`; what follows the message depends on its kind, and an application message goes without a frank. */
function writeFanoutMessage(writer: TlsWriter, { acceptedAtMs, message, kind, tree, proposals }: FanoutMessage): TlsWriter {
  writer.uint64(acceptedAtMs).raw(message)
  switch (kind) {
    case 'application':
      return writer.uint8(0) // no frank
    case 'welcome':
      return writeTreeOption(writer, tree ?? { kind: 'distribution-service' })
    case 'proposal':
    case 'commit':
      return writer.vector(proposals, (item, proposal) => item.raw(proposal))
  }
}

/** `FanoutMessage`; the kind is read from the framing of the message. @throws Malformed also for an MLSMessage that no log holds */
function readFanoutMessage(reader: TlsReader): FanoutMessage {
  const acceptedAtMs = reader.uint64()
  const { bytes: message, ...framing } = readMessage(reader)
  const kind = kindOf(framing as MlsMessage)
  const base = { acceptedAtMs, message, kind }
  switch (kind) {
    case 'application':
      reader.optional(readFrank)
      return { ...base, proposals: [] }
    case 'welcome':
      return { ...base, tree: readTreeOption(reader), proposals: [] }
    case 'proposal':
    case 'commit':
      return { ...base, proposals: reader.vector(MAX_STAPLED, readMessage).map(({ bytes }) => bytes) }
  }
}

/** `FanoutMessage` alone, as `notify` of the draft has it. */
export function encodeFanoutMessage(message: FanoutMessage): Uint8Array {
  return writeFanoutMessage(new TlsWriter(), message).written()
}

/** What `notify` of the draft may have: one FanoutMessage or several, one after the other. Malformed for more than 64, or with more than 256 that are stapled to them. */
export function decodeFanoutMessages(bytes: Uint8Array): Decoded<FanoutMessage[]> {
  return decodeWhole(bytes, (reader) => {
    const messages = [readFanoutMessage(reader)]
    while (reader.remaining > 0) {
      if (messages.length === MAX_MESSAGES) throw new Malformed(`there are more than ${MAX_MESSAGES} messages`)
      messages.push(readFanoutMessage(reader))
    }
    const stapled = messages.reduce((sum, { proposals }) => sum + proposals.length, 0)
    if (stapled > MAX_STAPLED) throw new Malformed(`there are more than ${MAX_STAPLED} stapled messages`)
    return messages
  })
}

/** The opposite of `encodeFanoutMessage`; byte fields are views of `bytes`. */
export function decodeFanoutMessage(bytes: Uint8Array): Decoded<FanoutMessage> {
  return decodeWhole(bytes, readFanoutMessage)
}

function kindOf({ wireFormat, body }: MlsMessage): FanoutMessage['kind'] {
  switch (wireFormat) {
    case 'public-message':
      return body.content.kind
    case 'private-message':
      return body.contentType
    case 'welcome':
      return 'welcome'
    default:
      throw new Malformed(`a ${wireFormat} is not fanned out`)
  }
}
