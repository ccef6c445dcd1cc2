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
import { KeyPackages } from './key-packages.js'
import { Refuses, FOREIGN_CLAIM_PROBLEMS } from '../platform/http/refuses.js'

@ApiTags('key-packages')
@Controller('v1/key-packages')
export class KeyPackagesController {
  constructor(
    private readonly keyPackages: KeyPackages,
    private readonly claims: ForeignClaims,
  ) {}

  @Post()
  @TakesBody('large')
  @HttpCode(201)
  @Returns(KeyPackagesStored, { description: 'All KeyPackages of the request are stored.' })
  @ApiOperation({
    operationId: 'uploadKeyPackages',
    summary: 'Publish KeyPackages of this device',
    description:
      'Each is an MLSMessage with a KeyPackage (RFC 9420 §6, §10) whose credential is basic with this client’s URI, and ' +
      'whose leaf key is registered for this device. All of them are stored, or none. Repeating the request stores nothing ' +
      'twice.',
  })
  @Refuses('undecodable', 'invalid-key-package', 'too-many-key-packages', 'key-package-role')
  upload(@CurrentDevice() caller: Caller, @Body({ schema: UploadKeyPackages }) body: UploadKeyPackages) {
    return this.keyPackages.upload(caller, body)
  }

  @Get()
  @Returns(KeyPackageCounts, { description: 'Counts by cipher suite.' })
  @ApiOperation({
    operationId: 'countKeyPackages',
    summary: 'How many KeyPackages of this device are left',
    description: 'Upload more when `available` is below `low`; the inbox says so too (`key-packages.low`).',
  })
  counts(@CurrentDevice() caller: Caller) {
    return this.keyPackages.counts(caller)
  }

  @Delete()
  @HttpCode(200)
  @Returns(KeyPackagesDeleted, { description: 'How many were withdrawn.' })
  @ApiOperation({
    operationId: 'deleteKeyPackages',
    summary: 'Withdraw all KeyPackages of this device',
    description: 'Those of last resort too. KeyPackages that were claimed stay with those who claimed them.',
  })
  deleteAll(@CurrentDevice() caller: Caller) {
    return this.keyPackages.deleteAll(caller)
  }

  @Delete(':ref')
  @HttpCode(200)
  @Returns(KeyPackagesDeleted, { description: 'The KeyPackage is withdrawn.' })
  @ApiOperation({
    operationId: 'deleteKeyPackage',
    summary: 'Withdraw one KeyPackage of this device',
    description: 'By its KeyPackageRef (RFC 9420 §5.2), as uploadKeyPackages answered it.',
  })
  @Refuses('not-found')
  deleteOne(@CurrentDevice() caller: Caller, @Param('ref', { schema: Hash }) ref: Uint8Array) {
    return this.keyPackages.deleteOne(caller, ref)
  }

  @Post('claims')
  @HttpCode(200)
  @Returns(KeyPackagesClaimed, { description: 'The KeyPackages, each marked as used.' })
  @ApiOperation({
    operationId: 'claimKeyPackages',
    summary: 'Take a KeyPackage of each device of a user',
    description:
      'To add the user to a group: one KeyPackage of each device, of the first of `cipher_suites` that it has. Each is ' +
      'handed out once, except those of last resort. Devices without a suitable one are in `unavailable`. A device that ' +
      'claims for its own user gets those of the other devices. Users of other providers need `key_material_request`.',
  })
  @Refuses('not-found', 'no-consent', 'forbidden', 'undecodable', 'signed-request-needed', ...FOREIGN_CLAIM_PROBLEMS)
  claim(@CurrentDevice() caller: Caller, @Body({ schema: ClaimKeyPackages }) body: ClaimKeyPackages) {
    return this.claims.claim(caller, body)
  }
}
