import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { RowIdText } from '../../platform/http/bytes.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsNothing } from '../../platform/http/returns.js'
import { CurrentDevice, type Caller } from '../session/caller.js'
import { StepUpProof, TakesStepUp, type PresentedProof } from '../step-up/step-up-header.js'
import { DeviceKeys } from './device-keys.js'
import { AddDevice, AddKey, DeviceName, OwnDevice, RevokeDevice, OwnDevices, OwnKey } from './devices.dto.js'
import { Devices } from './devices.js'
import { DeviceRevocation } from './device-revocation.js'

@ApiTags('devices')
@Controller('v1/devices')
export class DevicesController {
  constructor(
    private readonly devices: Devices,
    private readonly keys: DeviceKeys,
    private readonly revocation: DeviceRevocation,
  ) {}

  @Post()
  @Returns(OwnDevice, { status: 201, description: 'The device is registered.' })
  @ApiOperation({
    operationId: 'addDevice',
    summary: 'Add a device to this account',
    description:
      'The challenge (purpose `new-device`) and the proofs are those of the new device, for its own client URI. It logs in by itself ' +
      'afterwards. `Step-Up` is by a key of the device that adds it; an account with a device list sends `device_list` instead (docs/identity.md).',
  })
  @TakesStepUp()
  @Refuses('wrong-domain', 'forbidden', 'proof-refused', 'name-taken', 'key-taken', 'too-many-devices')
  @Refuses('device-list-required', 'device-list-changed', 'change-pending', 'invalid-device-list')
  add(@CurrentDevice() caller: Caller, @Body({ schema: AddDevice }) body: AddDevice, @StepUpProof() proof?: PresentedProof) {
    return this.devices.add(caller, body, proof)
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
      'needs `confirm=last-device`: nobody gets into the account without a device. `Step-Up` has the purpose `revoke-device` and the ' +
      'client URI of the device as subject.',
  })
  @TakesStepUp()
  @Refuses('not-found', 'last-device', 'device-list-required')
  @ReturnsNothing('The device is revoked. Repeating the request is harmless.')
  revoke(
    @CurrentDevice() caller: Caller,
    @Param('device', { schema: DeviceName }) device: DeviceName,
    @Query({ schema: RevokeDevice }) { confirm }: RevokeDevice,
    @StepUpProof() proof?: PresentedProof,
  ) {
    return this.revocation.revoke(caller, device, { confirm, proof })
  }

  @Post('self/keys')
  @Returns(OwnKey, { status: 201, description: 'The key is registered.' })
  @ApiOperation({
    operationId: 'addSignatureKey',
    summary: 'Add a signature key to this device',
    description:
      'With its proof over a challenge for this device (purpose `new-key`). `succeeds` names the key that it follows (RFC 9420 §5.3.1); ' +
      'that one stays valid until it is retired. `Step-Up` is by a key that is registered already, with purpose `add-key` and the new ' +
      'public key as subject.',
  })
  @TakesStepUp()
  @Refuses('proof-refused', 'key-taken', 'key-succeeded', 'too-many-keys')
  @Refuses('device-list-required', 'device-list-changed', 'change-pending', 'invalid-device-list')
  addKey(@CurrentDevice() caller: Caller, @Body({ schema: AddKey }) body: AddKey, @StepUpProof() proof?: PresentedProof) {
    return this.keys.add(caller, body, proof)
  }

  @Delete('self/keys/:id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'retireSignatureKey',
    summary: 'Retire a signature key of this device',
    description:
      'KeyPackages and leaves with this key are refused from now on. The last valid key cannot be retired. `Step-Up` has the purpose ' +
      '`retire-key` and the public key, uncompressed if it is a point, as subject.',
  })
  @TakesStepUp()
  @Refuses('not-found', 'last-key', 'device-list-required')
  @ReturnsNothing('The key is retired.')
  retireKey(@CurrentDevice() caller: Caller, @Param('id', { schema: RowIdText }) id: bigint, @StepUpProof() proof?: PresentedProof) {
    return this.keys.retire(caller, id, proof)
  }
}
