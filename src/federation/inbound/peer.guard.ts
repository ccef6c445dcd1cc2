import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { Limits } from '../../platform/limits/limits.js'
import { POOL } from '../../platform/postgres/sql.js'
import { checkContentDigest } from '../../protocol/http-signature/content-digest.js'
import type { HttpRequestMessage } from '../../protocol/http-signature/message.js'
import { isFresh, type ClaimedSignature } from '../../protocol/http-signature/profile.js'
import { requestSignature } from '../../protocol/http-signature/signed-request.js'
import { OwnUrl } from '../identity/own-url.js'
import { Admission } from '../peers/admission.js'
import { PeerDirectories } from '../peers/peer-directories.js'
import { noteInbound } from '../peers/peers.repository.js'
import { PeerDenied, SignatureRefused } from './inbound.problems.js'
import { Nonces } from './nonces.js'
import type { PeerCarrier } from './peer.js'

/** A peer that is heard often is not written down each time. */
const NOTE_MS = 10_000

/** Who sent a request, and that it was meant for this server, now, and once. Cheap checks come first; nothing is written before the last. */
@Injectable()
export class PeerGuard implements CanActivate {
  private readonly notedAt = new Map<string, number>()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Config,
    private readonly url: OwnUrl,
    private readonly admission: Admission,
    private readonly directories: PeerDirectories,
    private readonly nonces: Nonces,
    private readonly limits: Limits,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.config.FEDERATION === 'off') throw new NotFound('This server does not federate.')
    const request = context.switchToHttp().getRequest<FastifyRequest & PeerCarrier>()
    const message = { method: request.method, targetUri: new URL(this.url.get()).origin + request.url, headers: request.headers }
    request.peerMessage = message
    const body = request.body instanceof Uint8Array ? request.body : undefined
    const claimed = this.claim(message, body !== undefined)
    request.claimedDomain = claimed.domain
    await this.admit(claimed)
    this.checkDigest(message, body)
    await this.verify(claimed)
    request.peer = { domain: claimed.domain }
    return true
  }

  private claim(message: HttpRequestMessage, hasBody: boolean): ClaimedSignature {
    const claimed = requestSignature(message, hasBody)
    if (claimed.kind === 'faulty') throw new SignatureRefused(claimed.fault, claimed.detail)
    if (message.headers['mimi-target'] !== this.config.DOMAIN)
      throw new SignatureRefused('target-mismatch', 'The request is for another provider.')
    const now = Date.now() / 1000
    if (!isFresh(claimed, now, this.config.FEDERATION_CLOCK_SKEW / 1000))
      throw new SignatureRefused('signature-stale', 'The signature is not of now.')
    return claimed
  }

  private async admit({ domain }: ClaimedSignature): Promise<void> {
    if (!(await this.admission.admits(domain))) throw new PeerDenied()
    const points = this.config.FEDERATION_REQUESTS_PER_MINUTE
    await this.limits.take({ name: 'peer-requests', points, seconds: 60 }, domain)
  }

  private checkDigest(message: HttpRequestMessage, body: Uint8Array | undefined): void {
    if (!body) return
    const verdict = checkContentDigest(message.headers, body)
    if (verdict === 'missing') throw new SignatureRefused('content-digest-missing', 'Content-Digest has no known algorithm.')
    if (verdict === 'mismatch') throw new SignatureRefused('content-digest-mismatch', 'Content-Digest is not that of the body.')
  }

  private async verify(claimed: ClaimedSignature): Promise<void> {
    const { domain, keyId, nonce, expires } = claimed
    const key = await this.directories.key(domain, keyId, new Date())
    if (!key) throw new SignatureRefused('key-unknown', "The provider's directory has no such key.")
    if (!claimed.verify(key)) throw new SignatureRefused('signature-invalid', 'The signature does not verify.')
    if (!(await this.nonces.take(domain, nonce, expires))) throw new SignatureRefused('nonce-replayed', 'The nonce was used before.')
    await this.note(domain)
  }

  private async note(domain: string): Promise<void> {
    const last = this.notedAt.get(domain)
    if (last !== undefined && performance.now() - last < NOTE_MS) return
    if (this.notedAt.size > 10_000) this.notedAt.clear()
    this.notedAt.set(domain, performance.now())
    await noteInbound(this.pool, domain)
  }
}
