import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { MIMI_MEDIA_TYPE } from '../../protocol/mimi/common.js'
import { expand } from '../identity/endpoints.js'
import type { PeerAnswered } from '../outbound/answer-signatures.js'
import type { NotAnswered } from '../outbound/outcome.js'
import { PeerPolicy } from '../peers/peer-policy.js'
import { DraftDirectories } from './draft-directories.js'

export interface DraftCall {
  /** Domain of a provider for which `speaksDraft` holds. */
  readonly peer: string
  readonly endpoint: string
  /** Value of the variable in the endpoint's template. */
  readonly argument: string
  readonly body: Uint8Array
  readonly signal?: AbortSignal | undefined
}

/** What came of it. An answer needs no signature: it came from who shows the peer's certificate. */
export type DraftAnswer = PeerAnswered | NotAnswered | { readonly kind: 'no-directory' | 'no-endpoint'; readonly detail: string }

/** Requests to peers that speak nothing but the draft (draft-ietf-mimi-protocol-06, Transport layer). */
@Injectable()
export class DraftClient {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly policy: PeerPolicy,
    private readonly directories: DraftDirectories,
  ) {}

  speaksDraft(domain: string): Promise<boolean> {
    return this.directories.speaksDraft(domain)
  }

  /** How a provider is asked, if it is admitted. */
  async dialectOf(peer: string): Promise<'none' | 'draft' | 'profile'> {
    if (!(await this.policy.admits(peer))) return 'none'
    return (await this.directories.speaksDraft(peer)) ? 'draft' : 'profile'
  }

  async send({ peer, endpoint, argument, body, signal }: DraftCall): Promise<DraftAnswer> {
    const directory = await this.directories.of(peer)
    if (!directory) return { kind: 'no-directory', detail: 'The provider has no directory that can be read.' }
    const template = directory.endpoints[endpoint]
    if (template === undefined) return { kind: 'no-endpoint', detail: `The provider has no endpoint ${endpoint}.` }
    const url = expand(template, argument)
    if (url === undefined || !URL.canParse(url)) return { kind: 'no-endpoint', detail: `The address of ${endpoint} is not one.` }
    const headers = { host: peer, from: `mimi@${this.config.DOMAIN}`, 'content-type': MIMI_MEDIA_TYPE }
    const ask = () => this.directories.connectionsTo(peer).send({ method: 'POST', url, headers, body, ...(signal && { signal }) })
    const first = await ask()
    // A connection that was kept may have been closed since. Whatever is sent to a peer may come twice.
    const outcome = 'hungUp' in first && !signal?.aborted ? await ask() : first
    if (outcome.kind !== 'answered') return outcome
    const { status, headers: fields } = outcome
    const retryAfter = typeof fields['retry-after'] === 'string' ? fields['retry-after'] : undefined
    return { kind: 'answered', status, body: outcome.body, retryAfter, problem: undefined }
  }
}
