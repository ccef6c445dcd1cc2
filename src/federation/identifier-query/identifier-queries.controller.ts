import { Body, Controller, HttpCode, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { AT_PEER, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { IdentifierQueries } from './identifier-queries.js'
import { IdentifiersFound, IdentifierQuery } from './identifier-query.dto.js'

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
  @Refuses('not-found', 'identifier-query-refused', ...AT_PEER)
  find(@CurrentDevice() caller: Caller, @Body({ schema: IdentifierQuery }) body: IdentifierQuery) {
    return this.queries.find(caller, body)
  }
}
