import { Body, Controller, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { Returns } from '../../platform/http/returns.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { CreateGroup, GroupCreated } from './create-group.dto.js'
import { CreateService } from './create.service.js'

@ApiTags('groups')
@Controller('v1/groups')
export class CreateController {
  constructor(private readonly creations: CreateService) {}

  @Post()
  @TakesBody('large')
  @Returns(GroupCreated)
  create(@CurrentDevice() caller: Caller, @Body({ schema: CreateGroup }) body: CreateGroup) {
    return this.creations.create(caller, body)
  }
}
