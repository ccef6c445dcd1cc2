import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Problem } from '../../platform/http/problem.js'
import { Limits } from '../../platform/limits/limits.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import {
  decodeIdentifierResponse,
  encodeIdentifierRequest,
  type IdentifierRequest,
  type IdentifierResponse,
} from '../../protocol/mimi/identifier-query.js'
import { identifierQueryAnswered } from '../federation.events.js'
import { PeerBadResponse, peerProblem } from '../peer-problems.js'
import { SignedClient } from '../outbound/signed-client.js'
import type { IdentifierQuery, IdentifiersFound } from './identifier-query.dto.js'
import { elementOf, matchQuery } from './match-query.js'
import { canBeFound } from './searchable.repository.js'

/** The provider that was asked, possibly this one, does not answer such queries, and says why. */
class IdentifierQueryRefused extends Problem {
  constructor(code: Exclude<IdentifierResponse['code'], 'success' | 'not-found'>) {
    super(403, 'identifier-query-refused', 'The provider does not answer such queries.', { code })
  }
}

/** Of users here, and of others who claim in vain. */
export const QUERIES_BY_USER = { name: 'identifier-queries-by', points: 30, seconds: 60 }

/** Finding users by what people know of them (draft-ietf-mimi-protocol-06, Find internal address). */
@Injectable()
export class IdentifierQueries {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'IDENTIFIER_QUERY' | 'IDENTIFIER_QUERIES_PER_MINUTE'>,
    private readonly client: SignedClient,
    private readonly limits: Limits,
    private readonly events: Events,
  ) {}

  /** What another provider gets to know of our users. */
  async answerPeer(domain: string, request: IdentifierRequest): Promise<IdentifierResponse> {
    await this.limits.take({ name: 'identifier-queries-of', points: this.config.IDENTIFIER_QUERIES_PER_MINUTE, seconds: 60 }, domain)
    const response = await this.answer(request)
    identifierQueryAnswered(this.events, response.code, true)
    return response
  }

  /** Searches for a local user, here or at another provider. */
  async find(caller: Caller, { domain, handle }: IdentifierQuery): Promise<IdentifiersFound> {
    await this.limits.take(QUERIES_BY_USER, caller.user)
    const request = { elements: [elementOf(handle)] }
    const { code, uris } = await (domain === this.config.DOMAIN ? this.answer(request, caller.user) : this.ask(domain, request))
    identifierQueryAnswered(this.events, code, false)
    if (code !== 'success' && code !== 'not-found') throw new IdentifierQueryRefused(code)
    // A provider speaks for its own users only.
    return { uris: uris.filter((uri) => parseUserUri(uri)?.domain === domain) }
  }

  /** @param seeker a user here; other providers do not say who asks */
  private async answer({ elements }: IdentifierRequest, seeker?: string): Promise<IdentifierResponse> {
    if (this.config.IDENTIFIER_QUERY === 'off') return { code: 'forbidden', uris: [] }
    const matched = matchQuery(elements, this.config.DOMAIN)
    if (matched.kind === 'unsupported-field' || matched.kind === 'ambiguous') return { code: matched.kind, uris: [] }
    const found = matched.kind === 'user' && (await canBeFound(this.pool, matched.uri, seeker))
    return found ? { code: 'success', uris: [matched.uri] } : { code: 'not-found', uris: [] }
  }

  private async ask(peer: string, request: IdentifierRequest): Promise<IdentifierResponse> {
    const body = encodeIdentifierRequest(request)
    const answer = await this.client.send({ peer, endpoint: 'identifierQuery', argument: peer, body })
    if (answer.kind !== 'answered' || answer.status !== 200) throw peerProblem(answer)
    const decoded = decodeIdentifierResponse(answer.body)
    if (decoded.kind === 'malformed') throw new PeerBadResponse()
    return decoded.value
  }
}
