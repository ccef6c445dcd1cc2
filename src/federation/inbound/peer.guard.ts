import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { addressGroup } from '../../platform/admission/address.js'
import { NotFound, UnsupportedMediaType } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import type { HttpHeaders } from '../../protocol/http-signature/message.js'
import type { ClaimedSignature } from '../../protocol/http-signature/profile.js'
import { isRouteOf } from '../draft/draft-endpoints.js'
import { DraftAuthentication } from '../draft/draft-authentication.js'
import { OwnUrl } from '../identity/own-url.js'
import { noteInbound } from '../peers/peers.repository.js'
import { PeerBytes } from '../quotas/peer-bytes.js'
import { InboundGate } from './inbound-gate.js'
import { NonceReplayed } from './inbound.problems.js'
import type { PeerCarrier } from './peer.js'
import { RequestSignatures } from './request-signatures.js'

/** One note per peer in this time. */
const NOTE_MS = 10_000
const MAX_REMEMBERED = 10_000

/** Notes that a peer sent a request: then it can probably be reached, too, and its back-off ends. */
@Injectable()
export class HeardPeers {
  private readonly notedAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly bytes: PeerBytes,
  ) {}

  /** @throws RateLimited where the peer has sent as many bytes in this minute as it may */
  count(domain: string, bytes: number): Promise<void> {
    return this.bytes.take(domain, bytes)
  }

  async note(domain: string): Promise<void> {
    const last = this.notedAt.get(domain)
    if (last !== undefined && performance.now() - last < NOTE_MS) return
    this.notedAt.set(domain, performance.now())
    await noteInbound(this.pool, domain)
  }
}

/** Verifies and admits the requests of peers. Cheap checks come first; nothing is written before the signature was verified. */
@Injectable()
export class PeerGuard implements CanActivate {
  constructor(
    private readonly url: OwnUrl,
    private readonly signatures: RequestSignatures,
    private readonly gate: InboundGate,
    private readonly heard: HeardPeers,
    private readonly draft: DraftAuthentication,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    this.gate.requireFederation()
    const request = context.switchToHttp().getRequest<FastifyRequest & PeerCarrier>()
    // Decoded JSON or CBOR would be a body that no signature covers.
    const body = request.body ?? undefined
    if (body !== undefined && !(body instanceof Uint8Array)) throw new UnsupportedMediaType('Between providers a body is application/mimi.')
    if (this.draft.isDraft(request)) return this.admitDraft(request)
    if (!isRouteOf('profile', request.routeOptions.url ?? '')) throw new NotFound()
    const message = {
      method: request.method,
      targetUri: new URL(this.url.get()).origin + request.url,
      headers: allLines(request.raw.rawHeaders),
    }
    const address = addressGroup(request.ip)
    this.gate.takeUnverified(address)
    // Only now: who is beyond that limit gets an answer that costs no signature.
    request.peerMessage = message
    const claimed = this.signatures.claim(message, body !== undefined)
    const { domain } = claimed
    request.claimedDomain = domain
    await this.gate.requireAdmitted(domain)
    this.draft.refuseSignaturesOf(domain)
    await this.signatures.checkDigest(message, body)
    await this.signatures.verify(claimed, address)
    this.signatures.requireUnseen(claimed)
    this.gate.returnVerified(address)
    await this.gate.countRequest(domain)
    await this.spend(claimed, address)
    await this.heard.count(domain, body?.length ?? 0)
    await this.gate.requireCommonProfile(domain)
    // Nor when who has relayed a sealed post.
    if (!request.routeOptions.config.unlogged) await this.heard.note(domain)
    request.peer = { domain }
    request.params = variablesOf(request)
    return true
  }

  /** A peer of the draft is who its connection shows; what it may do is what any peer may. */
  private async admitDraft(request: FastifyRequest & PeerCarrier): Promise<boolean> {
    const address = addressGroup(request.ip)
    this.gate.takeUnverified(address)
    const domain = this.draft.domainOf(request)
    await this.gate.requireAdmitted(domain)
    this.gate.returnVerified(address)
    await this.gate.countRequest(domain)
    await this.heard.count(domain, request.body instanceof Uint8Array ? request.body.length : 0)
    await this.heard.note(domain)
    request.peer = { domain, dialect: 'draft' }
    request.params = variablesOf(request)
    return true
  }

  private async spend(claimed: ClaimedSignature, address: string): Promise<void> {
    try {
      await this.signatures.spend(claimed)
    } catch (error) {
      if (error instanceof NonceReplayed) await this.gate.countReplay(address, claimed.domain)
      throw error
    }
  }
}

/**
 * Fields with all their lines (RFC 9421 §2.1): of some of them, as From and Content-Type, Node keeps the first line only, where a proxy on the
 * way may have read the last.
 */
function allLines(raw: readonly string[]): HttpHeaders {
  const lines = new Map<string, string[]>()
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    const known = lines.get(name)
    if (known) known.push(raw[at + 1] ?? '')
    else lines.set(name, [raw[at + 1] ?? ''])
  }
  return Object.fromEntries([...lines].map(([name, [first = '', ...more]]) => [name, more.length === 0 ? first : [first, ...more]]))
}

/** Of the endpoint's template: in the path or in the query, both of which the signature covers. Their schemas judge the values. */
function variablesOf({ query, params }: FastifyRequest): object {
  const inQuery = Object.entries(query as object).filter(([, value]) => typeof value === 'string')
  return { ...Object.fromEntries(inQuery), ...(params as object) }
}
