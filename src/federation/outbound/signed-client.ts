import { randomBytes } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { checkContentDigest } from '../../protocol/http-signature/content-digest.js'
import type { HttpRequestMessage } from '../../protocol/http-signature/message.js'
import { isFresh } from '../../protocol/http-signature/profile.js'
import { signRequest } from '../../protocol/http-signature/signed-request.js'
import { responseSignature } from '../../protocol/http-signature/signed-response.js'
import { MIMI_MEDIA_TYPE } from '../../protocol/mimi/common.js'
import { expand, PROFILES, type Endpoint } from '../identity/endpoints.js'
import { ProviderKeys } from '../identity/provider-keys.js'
import type { Answered, NotAnswered } from './outcome.js'
import { PeerConnections } from './peer-http.js'
import { PeerDirectories } from '../peers/peer-directories.js'
import { PeerPolicy } from '../peers/peer-policy.js'

/** An answer that the peer has signed. */
interface PeerAnswered {
  readonly kind: 'answered'
  readonly status: number
  readonly body: Uint8Array
  readonly retryAfter: string | undefined
  /** Type of the problem document, with a refusal. */
  readonly problem: string | undefined
}

/** An answer without a valid signature of the peer, perhaps of a proxy. */
interface Unsigned {
  readonly kind: 'unsigned'
  readonly status: number
  readonly retryAfter: string | undefined
  readonly detail: string
}

/** The peer was not even asked. */
interface NotAsked {
  readonly kind: 'denied' | 'no-directory' | 'profile-unsupported' | 'no-endpoint'
  readonly detail: string
}

export type PeerAnswer = PeerAnswered | Unsigned | NotAsked | NotAnswered

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

/** Signed requests to other providers; an answer counts only if the provider has signed it, for this request. */
@Injectable()
export class SignedClient {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'FEDERATION_CLOCK_SKEW'>,
    private readonly keys: ProviderKeys,
    private readonly policy: PeerPolicy,
    private readonly directories: PeerDirectories,
    private readonly connections: PeerConnections,
  ) {}

  async send({ peer, endpoint, argument, body, signal }: PeerCall): Promise<PeerAnswer> {
    if (!(await this.policy.admits(peer))) return { kind: 'denied', detail: 'The settings here do not admit this provider.' }
    const directory = await this.directories.of(peer)
    if (!directory) return { kind: 'no-directory', detail: 'The provider has no directory that can be read.' }
    if (!directory.profiles.some((profile) => PROFILES.some((ours) => ours === profile)))
      return { kind: 'profile-unsupported', detail: 'The provider speaks no profile that this server knows.' }
    const template = directory.endpoints[endpoint]
    if (template === undefined) return { kind: 'no-endpoint', detail: `The provider has no endpoint ${endpoint}.` }
    const targetUri = expand(template, argument)
    if (targetUri === undefined || !URL.canParse(targetUri))
      return { kind: 'no-endpoint', detail: `The address of ${endpoint} is not one.` }
    const request = await this.request(peer, targetUri, body)
    const outcome = await this.connections.of(peer).send({
      method: 'POST',
      url: targetUri,
      headers: stringsOf(request.headers),
      body,
      ...(signal && { signal }),
    })
    return outcome.kind === 'answered' ? this.verified(peer, request, outcome) : outcome
  }

  private async request(peer: string, targetUri: string, body: Uint8Array): Promise<HttpRequestMessage> {
    const created = Math.floor(Date.now() / 1000)
    const times = { created, expires: created + LIFETIME_SECONDS, nonce: randomBytes(16).toString('base64url') }
    const unsigned = { method: 'POST', targetUri, target: peer, content: { body, contentType: MIMI_MEDIA_TYPE } }
    return { method: 'POST', targetUri, headers: signRequest(unsigned, await this.keys.signer(), times) }
  }

  /** A proxy on the way may answer instead of the provider: then the outcome is unknown, and only its Retry-After is used. */
  private async verified(peer: string, request: HttpRequestMessage, answered: Answered): Promise<PeerAnswer> {
    const { status, headers, body } = answered
    const retryAfter = textOf(headers['retry-after'])
    const unsigned = { kind: 'unsigned', status, retryAfter } as const
    const claimed = responseSignature({ status, headers, request }, body.length > 0)
    if (claimed.kind === 'faulty') return { ...unsigned, detail: `The answer (${status}) is not signed as it has to be: ${claimed.fault}.` }
    const now = new Date()
    if (claimed.domain !== peer) return { ...unsigned, detail: 'The answer is signed by another provider.' }
    if (!isFresh(claimed, now.getTime() / 1000, this.config.FEDERATION_CLOCK_SKEW / 1000))
      return { ...unsigned, detail: 'The signature of the answer is not of now.' }
    if (!isForUs(headers['mimi-target'], status, this.config.DOMAIN)) return { ...unsigned, detail: 'The answer is for another provider.' }
    if ((body.length > 0 || headers['content-digest'] !== undefined) && (await checkContentDigest(headers, body)) !== 'matches')
      return { ...unsigned, detail: 'The digest of the answer is not that of its body.' }
    const key = await this.directories.key(peer, claimed.keyId, now)
    if (!key || claimed.verify(key) !== 'valid') return { ...unsigned, detail: 'The signature of the answer does not verify.' }
    return { kind: 'answered', status, body, retryAfter, problem: problemType(textOf(headers['content-type']), body) }
  }
}

/** Servers of the release before say `unknown` in refusals that they give before they know who asks; a signature binds those to the request, too. */
function isForUs(target: unknown, status: number, domain: string): boolean {
  return target === domain || (target === 'unknown' && status >= 400)
}

/** A field of several lines is none of those that are read here. */
function textOf(field: unknown): string | undefined {
  return typeof field === 'string' ? field : undefined
}

/** The type of a problem document; other providers may put anything else there. */
function problemType(contentType: string | undefined, body: Uint8Array): string | undefined {
  if (!contentType?.startsWith('application/problem+json')) return undefined
  try {
    const document: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    if (typeof document !== 'object' || document === null || !('type' in document) || typeof document.type !== 'string') return undefined
    return document.type.slice(0, 100)
  } catch {
    return undefined // not JSON
  }
}

function stringsOf(headers: HttpRequestMessage['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
}
