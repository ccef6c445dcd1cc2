import { randomBytes } from 'node:crypto'
import { ProviderKeys } from '../../src/federation/identity/provider-keys.js'
import { SignedClient } from '../../src/federation/outbound/signed-client.js'
import type { SigningKey } from '../../src/protocol/http-signature/profile.js'
import { signRequest } from '../../src/protocol/http-signature/signed-request.js'
import { encodeIdentifierRequest } from '../../src/protocol/mimi/identifier-query.js'
import type { ProviderOfNodes } from './nodes.js'
import type { TestServer } from './server.js'

export const signerOf = (node: TestServer): Promise<SigningKey> => node.app.get(ProviderKeys).signer()

/** A request to a node of a provider, in the name of the one who has the key. */
export async function askAs(signer: SigningKey, { proxy, domain }: ProviderOfNodes, node: TestServer, argument = 'room') {
  const created = Math.floor(Date.now() / 1000)
  const times = { created, expires: created + 60, nonce: randomBytes(16).toString('base64url') }
  const [path, body] = [`/mimi/v1/echo/${encodeURIComponent(argument)}`, Buffer.from('body')]
  const unsigned = { method: 'POST', targetUri: proxy.url + path, target: domain, content: { body, contentType: 'application/mimi' } }
  const headers = signRequest(unsigned, signer, times)
  const response = await fetch(node.url + path, { method: 'POST', headers, body })
  const text = await response.text()
  return { status: response.status, type: /urn:microchat:problem:([a-z-]+)/.exec(text)?.[1], signed: response.headers.has('signature') }
}

/** A request by the client of a node, which also checks the answer. */
export const query = (from: TestServer, peer: string) =>
  from.app.get(SignedClient).send({
    peer,
    endpoint: 'identifierQuery',
    argument: peer,
    body: encodeIdentifierRequest({ elements: [] }),
  })
