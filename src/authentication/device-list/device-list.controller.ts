import { Body, Controller, HttpCode, Post, Put } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { LimitedPerAddress } from '../address-limit.guard.js'
import { Anonymous, CurrentDevice, type Caller } from '../session/caller.js'
import { StepUpProof, TakesStepUp, type PresentedProof } from '../step-up/step-up-header.js'
import { DeviceListPage, DeviceListState, DeviceListUpdate, HeadRenewal, ListRecovery } from './device-list.dto.js'
import { ListRecoveries } from './list-recoveries.js'
import { OwnDeviceList } from './own-device-list.js'

@ApiTags('device lists')
@Controller('v1')
export class DeviceListController {
  constructor(
    private readonly own: OwnDeviceList,
    private readonly recovery: ListRecoveries,
  ) {}

  @Post('device-lists/recovery')
  @TakesBody('tiny')
  @HttpCode(200)
  @Anonymous()
  @LimitedPerAddress('login')
  @Returns(DeviceListPage, { description: 'The whole list of the client’s user.' })
  @ApiOperation({
    operationId: 'recoverDeviceList',
    summary: 'Get the own device list without a device',
    description:
      'For a user who has lost all devices and has a recovery key, a passkey or the identity key: with a challenge (purpose `login`) for the new ' +
      'client, and the proof of a login by that key; a passkey names its RP ID. The new device then registers (registerAccount) with one entry, its certificate by that key.',
  })
  @Refuses('login-refused')
  recover(@Body({ schema: ListRecovery }) body: ListRecovery) {
    return this.recovery.list(body)
  }

  @Post('device-list')
  @HttpCode(200)
  @Returns(DeviceListState, { description: 'The entries are in the list.' })
  @ApiOperation({
    operationId: 'appendToDeviceList',
    summary: 'Append entries to this account’s device list',
    description:
      'Revocations: the devices whose certificates end are revoked with it. Certificates that renew a device of the account: they name ' +
      'keys that are registered for it, and registered ones that they leave out are retired. Certificates of recovery keys and passkeys. ' +
      'An account without a list begins it with entry 1 and the certificate of this device: that alone needs `Step-Up`, with purpose ' +
      '`begin-identity` and the hash of the last entry as subject.',
  })
  @TakesStepUp('For entry 1, a fresh proof by a key of this device')
  @Refuses('invalid-device-list', 'device-list-changed')
  append(
    @CurrentDevice() caller: Caller,
    @Body({ schema: DeviceListUpdate }) body: DeviceListUpdate,
    @StepUpProof() proof?: PresentedProof,
  ) {
    return this.own.append(caller, body, proof)
  }

  @Put('device-list/head')
  @Returns(DeviceListState, { description: 'Others see the new head from now on.' })
  @ApiOperation({
    operationId: 'renewDeviceListHead',
    summary: 'Renew the head of this account’s device list',
    description: 'A head that was issued before the one that the server has is refused.',
  })
  @Refuses('not-found', 'invalid-device-list', 'device-list-changed')
  renew(@CurrentDevice() caller: Caller, @Body({ schema: HeadRenewal }) body: HeadRenewal) {
    return this.own.renew(caller, body)
  }
}
