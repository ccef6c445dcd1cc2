import { Controller, Get, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { Returns } from '../../platform/http/returns.js'
import { Directory } from './directory.js'
import { DirectoryEntry, DirectoryQuery } from './directory.dto.js'

@ApiTags('directory')
@Controller('v1/directory')
export class DirectoryController {
  constructor(private readonly directory: Directory) {}

  @Get()
  @Returns(DirectoryEntry)
  @ApiOperation({
    summary: 'Which signature keys an identity holds, and held',
    description: 'For a user URI all its devices, for a client URI that one; revoked ones stay listed with their times.',
  })
  lookUp(@Query({ schema: DirectoryQuery }) { identity }: DirectoryQuery) {
    return this.directory.lookUp(identity)
  }
}
