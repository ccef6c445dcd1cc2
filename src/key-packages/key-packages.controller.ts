import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../authentication/session/caller.js'
import { Hash } from '../platform/http/bytes.js'
import { TakesBody } from '../platform/http/route-options.js'
import { Returns } from '../platform/http/returns.js'
import { ForeignClaims } from './foreign-claims.js'
import {
  ClaimKeyPackages,
  KeyPackageCounts,
  KeyPackagesClaimed,
  KeyPackagesDeleted,
  KeyPackagesStored,
  UploadKeyPackages,
} from './key-packages.dto.js'
import { KeyPackages } from './key-packages.service.js'

@ApiTags('KeyPackages')
@Controller('v1/key-packages')
export class KeyPackagesController {
  constructor(
    private readonly keyPackages: KeyPackages,
    private readonly claims: ForeignClaims,
  ) {}

  @Post()
  @TakesBody('large')
  @HttpCode(201)
  @Returns(KeyPackagesStored)
  @ApiOperation({ summary: 'Publish KeyPackages of this device', description: 'All or nothing, and safe to repeat.' })
  upload(@CurrentDevice() caller: Caller, @Body({ schema: UploadKeyPackages }) body: UploadKeyPackages) {
    return this.keyPackages.upload(caller, body)
  }

  @Get()
  @Returns(KeyPackageCounts)
  @ApiOperation({ summary: 'How many KeyPackages of this device are left' })
  counts(@CurrentDevice() caller: Caller) {
    return this.keyPackages.counts(caller)
  }

  @Delete()
  @HttpCode(200)
  @Returns(KeyPackagesDeleted)
  @ApiOperation({ summary: 'Withdraw all KeyPackages of this device' })
  deleteAll(@CurrentDevice() caller: Caller) {
    return this.keyPackages.deleteAll(caller)
  }

  @Delete(':ref')
  @HttpCode(200)
  @Returns(KeyPackagesDeleted)
  @ApiOperation({ summary: 'Withdraw one KeyPackage of this device' })
  deleteOne(@CurrentDevice() caller: Caller, @Param('ref', { schema: Hash }) ref: Uint8Array) {
    return this.keyPackages.deleteOne(caller, ref)
  }

  @Post('claims')
  @HttpCode(200)
  @Returns(KeyPackagesClaimed)
  @ApiOperation({
    summary: 'Take a KeyPackage of each device of a user',
    description:
      'Each is handed out once, except those of last resort. A device that claims for its own user gets those of the other devices only.',
  })
  claim(@CurrentDevice() caller: Caller, @Body({ schema: ClaimKeyPackages }) body: ClaimKeyPackages) {
    return this.claims.claim(caller, body)
  }
}
