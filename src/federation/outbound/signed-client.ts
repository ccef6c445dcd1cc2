import { randomBytes } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import type { HttpRequestMessage } from '../../protocol/http-signature/message.js'
import { signRequest } from '../../protocol/http-signature/signed-request.js'
import { MIMI_MEDIA_TYPE } from '../../protocol/mimi/common.js'
import { draftRequestIn } from '../../protocol/mimi/microchat/key-material-request.js'
import { DraftClient } from '../draft/draft-client.js'
import { expand, PROFILES, type Endpoint } from '../identity/endpoints.js'
import { ProviderKeys } from '../identity/provider-keys.js'
import { AnswerSignatures, type ClockOff, type PeerAnswered, type Unsigned } from './answer-signatures.js'
import type { NotAnswered, Outcome } from './outcome.js'
import { PeerConnections } from './peer-http.js'
import { PeerDirectories } from '../peers/peer-directories.js'

/** The peer was not even asked. */
interface NotAsked {
  readonly kind: 'denied' | 'no-directory' | 'profile-unsupported' | 'no-endpoint'
  readonly detail: string
}

export type PeerAnswer = (PeerAnswered | Unsigned | ClockOff | NotAsked | NotAnswered) & {
  /** Domain of the provider that was asked. */
  readonly peer?: string
}

const LIFETIME_SECONDS = 60

export interface PeerCall {
  /** Domain of the provider that is asked. */
  readonly peer: string
  readonly endpoint: Endpoint
  /** Value of the variable in the endpoint's template. */
  readonly argument: string
  readonly body: Uint8Array
  readonly signal?: AbortSignal
}

interface Exchange {
  readonly peer: string
  readonly targetUri: string
  readonly body: Uint8Array
  readonly signal: AbortSignal | undefined
}

/** Signed requests to other providers; an answer counts only if the provider has signed it, for this request. */
@Injectable()
export class SignedClient {
  constructor(
    private readonly keys: ProviderKeys,
    private readonly directories: PeerDirectories,
    private readonly connections: PeerConnections,
    private readonly answers: AnswerSignatures,
    private readonly drafts: DraftClient,
  ) {}

  async send(call: PeerCall): Promise<PeerAnswer> {
    return { ...(await this.ask(call)), peer: call.peer }
  }

  private async ask({ peer, endpoint, argument, body, signal }: PeerCall): Promise<PeerAnswer> {
    const dialect = await this.drafts.dialectOf(peer)
    if (dialect === 'none') return { kind: 'denied', detail: 'The settings here do not admit this provider.' }
    if (dialect === 'draft') {
      const drafted = endpoint === 'keyMaterial' ? draftRequestIn(body) : body
      return this.drafts.send({ peer, endpoint, argument, body: drafted, signal })
    }
    const directory = await this.directories.of(peer)
    if (!directory) return { kind: 'no-directory', detail: 'The provider has no directory that can be read.' }
    if (!directory.profiles.some((profile) => PROFILES.some((ours) => ours === profile)))
      return { kind: 'profile-unsupported', detail: 'The provider speaks no profile that this server knows.' }
    const template = directory.endpoints[endpoint]
    if (template === undefined) return { kind: 'no-endpoint', detail: `The provider has no endpoint ${endpoint}.` }
    const targetUri = expand(template, argument)
    if (targetUri === undefined || !URL.canParse(targetUri))
      return { kind: 'no-endpoint', detail: `The address of ${endpoint} is not one.` }
    const exchanged = await this.exchange({ peer, targetUri, body, signal })
    // Peers close connections that they have kept. Everything that is sent to a peer may be sent again, signed again.
    const isDead = 'hungUp' in exchanged.outcome && !signal?.aborted
    const { request, outcome } = isDead ? await this.exchange({ peer, targetUri, body, signal }) : exchanged
    return outcome.kind === 'answered' ? this.answers.verified(peer, request, outcome) : outcome
  }

  private async exchange({ peer, targetUri, body, signal }: Exchange): Promise<{ request: HttpRequestMessage; outcome: Outcome }> {
    const request = await this.request(peer, targetUri, body)
    const headers = stringsOf(request.headers)
    const asked = { method: 'POST', url: targetUri, headers, body, ...(signal && { signal }) } as const
    return { request, outcome: await this.connections.of(peer).send(asked) }
  }

  private async request(peer: string, targetUri: string, body: Uint8Array): Promise<HttpRequestMessage> {
    const created = Math.floor(Date.now() / 1000)
    const times = { created, expires: created + LIFETIME_SECONDS, nonce: randomBytes(16).toString('base64url') }
    const unsigned = { method: 'POST', targetUri, target: peer, content: { body, contentType: MIMI_MEDIA_TYPE } }
    return { method: 'POST', targetUri, headers: signRequest(unsigned, await this.keys.signer(), times) }
  }
}

function stringsOf(headers: HttpRequestMessage['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
}
