import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { RowIdText } from '../../platform/http/bytes.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsNothing } from '../../platform/http/returns.js'
import { CurrentDevice, type Caller } from '../session/caller.js'
import { DeviceKeys } from './device-keys.js'
import { AddDevice, AddKey, DeviceName, OwnDevice, RevokeDevice, OwnDevices, OwnKey } from './devices.dto.js'
import { Devices } from './devices.js'

@ApiTags('devices')
@Controller('v1/devices')
export class DevicesController {
  constructor(
    private readonly devices: Devices,
    private readonly keys: DeviceKeys,
  ) {}

  @Post()
  @Returns(OwnDevice, { status: 201, description: 'The device is registered.' })
  @ApiOperation({
    operationId: 'addDevice',
    summary: 'Add a device to this account',
    description: 'The challenge and the proofs are those of the new device, for its own client URI. It logs in by itself afterwards.',
  })
  @Refuses('wrong-domain', 'forbidden', 'proof-refused', 'name-taken', 'key-taken', 'too-many-devices')
  @Refuses('device-list-required', 'device-list-changed', 'invalid-device-list')
  add(@CurrentDevice() caller: Caller, @Body({ schema: AddDevice }) body: AddDevice) {
    return this.devices.add(caller, body)
  }

  @Get()
  @Returns(OwnDevices, { description: 'All devices of the account, with their keys.' })
  @ApiOperation({
    operationId: 'listDevices',
    summary: 'The devices of this account',
    description: 'Revoked devices stay listed, with the time of their revocation.',
  })
  list(@CurrentDevice() caller: Caller) {
    return this.devices.list(caller)
  }

  @Delete(':device')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'revokeDevice',
    summary: 'Revoke a device of this account',
    description:
      'Its keys, tokens and streams end at once, its KeyPackages are withdrawn, and the server proposes its removal in the ' +
      'groups that let it. Its name and keys are never used again. A device can revoke itself. The last one of an account ' +
      'needs `confirm=last-device`: nobody gets into the account without a device.',
  })
  @Refuses('not-found', 'last-device', 'device-list-required')
  @ReturnsNothing('The device is revoked. Repeating the request is harmless.')
  revoke(
    @CurrentDevice() caller: Caller,
    @Param('device', { schema: DeviceName }) device: DeviceName,
    @Query({ schema: RevokeDevice }) { confirm }: RevokeDevice,
  ) {
    return this.devices.revoke(caller, device, confirm)
  }

  @Post('self/keys')
  @Returns(OwnKey, { status: 201, description: 'The key is registered.' })
  @ApiOperation({
    operationId: 'addSignatureKey',
    summary: 'Add a signature key to this device',
    description:
      'With its proof over a challenge for this device. `succeeds` names the key that it follows (RFC 9420 §5.3.1); that ' +
      'one stays valid until it is retired.',
  })
  @Refuses('proof-refused', 'key-taken', 'key-succeeded', 'too-many-keys')
  @Refuses('device-list-required', 'device-list-changed', 'invalid-device-list')
  addKey(@CurrentDevice() caller: Caller, @Body({ schema: AddKey }) body: AddKey) {
    return this.keys.add(caller, body)
  }

  @Delete('self/keys/:id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'retireSignatureKey',
    summary: 'Retire a signature key of this device',
    description: 'KeyPackages and leaves with this key are refused from now on. The last valid key cannot be retired.',
  })
  @Refuses('not-found', 'last-key', 'device-list-required')
  @ReturnsNothing('The key is retired.')
  retireKey(@CurrentDevice() caller: Caller, @Param('id', { schema: RowIdText }) id: bigint) {
    return this.keys.retire(caller, id)
  }
}
