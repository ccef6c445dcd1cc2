import { Body, Controller, HttpCode, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { Returns } from '../../platform/http/returns.js'
import { IdentifiersFound, IdentifierQuery } from './identifier-query.dto.js'
import { IdentifierQueries } from './identifier-queries.js'

@ApiTags('federation')
@Controller('v1/identifier-queries')
export class IdentifierQueriesController {
  constructor(private readonly queries: IdentifierQueries) {}

  @Post()
  @HttpCode(200)
  @Returns(IdentifiersFound)
  @ApiOperation({
    summary: 'Find a user of any provider by name or handle',
    description: '403 identifier-query-refused if the provider does not answer such queries.',
  })
  find(@CurrentDevice() caller: Caller, @Body({ schema: IdentifierQuery }) body: IdentifierQuery) {
    return this.queries.find(caller, body)
  }
}
