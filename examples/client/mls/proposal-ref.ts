import { decodeMlsMessage, type CiphersuiteImpl } from 'ts-mls'
import { makeProposalRef } from 'ts-mls/authenticatedContent.js'
import type { Entry } from '../entries.js'
import type { ServerProblem } from '../http.js'
import { suite } from './suites.js'

/** Of the Proposals that a `proposals-void` names, the ProposalRefs (RFC 9420 §5.2) by which ts-mls keeps what waits. */
export async function refsOf({ document }: ServerProblem, suiteId: number): Promise<string[]> {
  const { impl } = await suite(suiteId)
  const entries = document['proposals'] as Entry[]
  return (await Promise.all(entries.map(({ message }) => proposalRef(message, impl)))).flat()
}

/** None for what is not in a PublicMessage: the server names only what it can read. */
async function proposalRef(message: Uint8Array, impl: CiphersuiteImpl): Promise<string[]> {
  const decoded = decodeMlsMessage(message, 0)?.[0]
  if (decoded?.wireformat !== 'mls_public_message') return []
  const { content, auth } = decoded.publicMessage
  const ref = await makeProposalRef({ wireformat: decoded.wireformat, content, auth }, impl.hash)
  return [Buffer.from(ref).toString('base64')]
}
