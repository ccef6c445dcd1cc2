import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import type { HttpRequestMessage } from '../../protocol/http-signature/message.js'
import { isProviderDomain } from '../../protocol/identifiers.js'
import { ForeignDomain, SignatureRefused } from './inbound.problems.js'

/** The provider behind a request, once its signature has been checked, or its certificate. */
export interface Peer {
  readonly domain: string
  /** What it speaks, if not the profile of this server (docs/federation-draft-06.md). */
  readonly dialect?: 'draft'
}

/** What the guard leaves on the request. */
export interface PeerCarrier {
  peer?: Peer
  /** What was received, for the signature of the answer. */
  peerMessage?: HttpRequestMessage
  /** Who it says it is, before that is known. */
  claimedDomain?: string
}

/** The authenticated provider, as a parameter of a handler. */
export const CurrentPeer = createParamDecorator((_data: unknown, context: ExecutionContext): Peer => {
  const { peer } = context.switchToHttp().getRequest<PeerCarrier>()
  if (!peer) throw new SignatureRefused('signature-missing', 'The request is not signed.')
  return peer
})

/** The body as it was received and digested. */
export const PeerBody = createParamDecorator((_data: unknown, context: ExecutionContext): Uint8Array => {
  const { body } = context.switchToHttp().getRequest<{ body?: unknown }>()
  return body instanceof Uint8Array ? body : new Uint8Array()
})

/** Invariant 12: a peer acts for its own domain only. @param what names it in the refusal @throws ForeignDomain for a URI of another provider */
export function requireUriOfPeer({ domain }: Peer, uri: string, what: string): void {
  if (providerOf(uri) !== domain) throw new ForeignDomain(what)
}

/** The domain in `mimi://<domain>/…`. */
export function providerOf(uri: string): string | undefined {
  const [, domain] = /^mimi:\/\/([^/]+)\/[udrg]\/./.exec(uri) ?? []
  return domain !== undefined && isProviderDomain(domain) ? domain : undefined
}
