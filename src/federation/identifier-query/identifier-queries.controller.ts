import { Body, Controller, Get, HttpCode, Inject, Post, Put } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { PEER_CALL_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Returns } from '../../platform/http/returns.js'
import { POOL } from '../../platform/postgres/sql.js'
import { decodeIdentifierRequest, encodeIdentifierResponse } from '../../protocol/mimi/identifier-query.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { DomainVariable, PeerPost, requireOwnDomain } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { IdentifierQueries } from './identifier-queries.js'
import { IdentifierQuery, IdentifiersFound, Searchable, SetSearchable } from './identifier-query.dto.js'
import { isSearchable, setSearchable } from './searchable.repository.js'

/** Searches of this server's users. */
@ApiTags('federation')
@Controller('v1/identifier-queries')
export class IdentifierQueriesController {
  constructor(private readonly queries: IdentifierQueries) {}

  @Post()
  @HttpCode(200)
  @Returns(IdentifiersFound, { description: 'The URIs of the users that were found; an empty list is not an error.' })
  @ApiOperation({
    operationId: 'findUser',
    summary: 'Find a user of any provider by name or handle',
    description: 'Only whole names match, and only users who want to be found.',
  })
  @Refuses('not-found', 'identifier-query-refused', ...PEER_CALL_PROBLEMS)
  find(@CurrentDevice() caller: Caller, @Body({ schema: IdentifierQuery }) body: IdentifierQuery) {
    return this.queries.find(caller, body)
  }
}

/** Whether others find this user. */
@ApiTags('federation')
@Controller('v1/me/searchable')
export class SearchableController {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  @Get()
  @Returns(Searchable, { description: 'The choice of this user.' })
  @ApiOperation({
    operationId: 'getSearchable',
    summary: 'Whether others find this user',
    description: 'Applies to findUser of this and other providers.',
  })
  async read(@CurrentDevice() caller: Caller) {
    return { searchable: await isSearchable(this.pool, caller.userId) }
  }

  @Put()
  @Returns(Searchable, { description: 'The choice as it is now.' })
  @ApiOperation({
    operationId: 'setSearchable',
    summary: 'Be found, or not',
    description: 'Nobody is found where the server answers no queries at all.',
  })
  async change(@CurrentDevice() caller: Caller, @Body({ schema: SetSearchable }) body: SetSearchable) {
    await setSearchable(this.pool, caller.userId, body.searchable)
    return body
  }
}

/** Searches of other providers' users. */
@Controller(PEER_PATH)
export class IdentifierQueryPeerController {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly queries: IdentifierQueries,
  ) {}

  @PeerPost('identifierQuery/:domain')
  async answer(@CurrentPeer() peer: Peer, @DomainVariable('domain') domain: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    requireOwnDomain(domain, this.config.DOMAIN)
    return encodeIdentifierResponse(await this.queries.answerPeer(peer.domain, decodedOrRefused(decodeIdentifierRequest(body))))
  }
}
