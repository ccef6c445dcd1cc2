import { decodeMlsMessage, type Proposal } from 'ts-mls'

/** A Commit or Proposal that was sent: by which device, and what it says of others. */
export interface Submission {
  by: string
  external: boolean
  /** Whom it removes by value: leaves where it can be read, devices where its sender says so. */
  removes: readonly (number | string)[]
  /** Whom its sender lets go, in a private group. */
  letGo: readonly string[]
  /** Whether the GroupInfo of the next epoch comes with it. */
  info: boolean
}

/** @param body of the request: `removed` and `let_go` come with a private Commit */
export function submissionOf(by: string, bytes: Uint8Array, body: Record<string, unknown>): Submission {
  const { sender, proposals } = readable(bytes)
  return {
    by,
    external: sender === 'new_member_commit',
    removes: [...proposals.flatMap((one) => (one.proposalType === 'remove' ? [one.remove.removed] : [])), ...devices(body['removed'])],
    letGo: devices(body['let_go']),
    info: body['group_info'] !== undefined,
  }
}

function devices(said: unknown): string[] {
  return Array.isArray(said) ? said.filter((one) => typeof one === 'string') : []
}

function readable(bytes: Uint8Array): { sender: string; proposals: Proposal[] } {
  const message = decoded(bytes)
  if (message?.wireformat !== 'mls_public_message') return { sender: '', proposals: [] }
  const { content } = message.publicMessage
  const sender = content.sender.senderType
  if (content.contentType === 'proposal') return { sender, proposals: [content.proposal] }
  if (content.contentType !== 'commit') return { sender, proposals: [] }
  const byValue = content.commit.proposals.flatMap((one) => (one.proposalOrRefType === 'proposal' ? [one.proposal] : []))
  return { sender, proposals: byValue }
}

/** What was spoilt on purpose may decode to nothing. */
function decoded(bytes: Uint8Array) {
  try {
    return decodeMlsMessage(bytes, 0)?.[0]
  } catch {
    return undefined
  }
}
