import { randomBytes } from 'node:crypto'
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { fromDomain } from '../../protocol/http-signature/profile.js'
import { signResponse } from '../../protocol/http-signature/signed-response.js'
import { isProviderDomain } from '../../protocol/identifiers.js'
import { ProviderKeys } from '../identity/provider-keys.js'
import type { PeerCarrier } from './peer.js'

const LIFETIME_SECONDS = 60

/** Signs every answer to a peer, refusals too, over the bytes that are sent and the request that they answer. */
@Injectable()
export class ResponseSigner implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly host: HttpAdapterHost,
    private readonly keys: ProviderKeys,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION === 'off') return
    const fastify: FastifyInstance = this.host.httpAdapter.getInstance()
    fastify.addHook('onSend', async (request, reply, payload) => {
      // What has no signature that can be covered is answered unsigned; an exception here would become the answer.
      if (request.routeOptions.config.mimi) await this.sign(request, reply, payload).catch(unusable)
      return payload
    })
  }

  private async sign(request: FastifyRequest & PeerCarrier, reply: FastifyReply, payload: unknown): Promise<void> {
    const message = request.peerMessage
    const target = request.claimedDomain ?? (message && fromDomain(message.headers))
    // An answer to nobody convinces nobody.
    if (!message || target === undefined || !isProviderDomain(target)) return
    const body = bytesOf(payload)
    const contentType = String(reply.getHeader('content-type') ?? 'application/octet-stream')
    const created = Math.floor(Date.now() / 1000)
    const fields = signResponse(
      {
        status: reply.statusCode,
        target,
        request: message,
        ...(body && body.length > 0 ? { content: { body, contentType } } : {}),
      },
      await this.keys.signer(),
      { created, expires: created + LIFETIME_SECONDS, nonce: randomBytes(16).toString('base64url') },
    )
    void reply.headers(fields)
  }
}

function unusable(error: unknown): void {
  if (!(error instanceof RangeError)) throw error
}

function bytesOf(payload: unknown): Uint8Array | undefined {
  if (payload instanceof Uint8Array) return payload
  return typeof payload === 'string' ? Buffer.from(payload) : undefined
}
