import { Body, Controller, Get, Inject, Put } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { Pool } from 'pg'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { Returns } from '../../platform/http/returns.js'
import { POOL } from '../../platform/postgres/sql.js'
import { Searchable, SetSearchable } from './identifier-query.dto.js'
import { isSearchable, setSearchable } from './searchable.repository.js'

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
