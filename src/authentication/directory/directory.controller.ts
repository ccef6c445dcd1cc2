import { Controller, Get, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { DirectoryEntry, DirectoryQuery } from './directory.dto.js'
import { Directory } from './directory.js'

@ApiTags('directory')
@Controller('v1/directory')
export class DirectoryController {
  constructor(private readonly directory: Directory) {}

  @Get()
  @Returns(DirectoryEntry, { description: 'The devices and their keys.' })
  @ApiOperation({
    operationId: 'lookUpIdentity',
    summary: 'Which signature keys an identity holds, and held',
    description:
      'Verify the credentials of members against this: a key binds nothing outside its times. A user URI gives all ' +
      'devices, a client URI that one; revoked ones stay listed. Only users of this provider are listed here.',
  })
  @Refuses('not-found')
  lookUp(@Query({ schema: DirectoryQuery }) { identity }: DirectoryQuery) {
    return this.directory.lookUp(identity)
  }
}
