import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { RowIdText } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { CurrentDevice, type Caller } from '../session/caller.js'
import { DeviceKeys } from './device-keys.js'
import { Devices } from './devices.js'
import { AddDevice, AddKey, DeviceName, OwnDevice, OwnDevices, OwnKey } from './devices.dto.js'

@ApiTags('devices')
@Controller('v1/devices')
export class DevicesController {
  constructor(
    private readonly devices: Devices,
    private readonly keys: DeviceKeys,
  ) {}

  @Post()
  @Returns(OwnDevice, { status: 201 })
  @ApiOperation({
    summary: 'Add a device to this account',
    description: 'The challenge and the proofs are the new device’s; it logs in by itself afterwards.',
  })
  add(@CurrentDevice() caller: Caller, @Body({ schema: AddDevice }) body: AddDevice) {
    return this.devices.add(caller, body)
  }

  @Get()
  @Returns(OwnDevices)
  @ApiOperation({ summary: 'The devices of this account' })
  list(@CurrentDevice() caller: Caller) {
    return this.devices.list(caller)
  }

  @Delete(':device')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Revoke a device of this account',
    description: 'Its keys, tokens and streams end at once. Its name and keys are never used again.',
  })
  revoke(@CurrentDevice() caller: Caller, @Param('device', { schema: DeviceName }) device: DeviceName) {
    return this.devices.revoke(caller, device)
  }

  @Post('self/keys')
  @Returns(OwnKey, { status: 201 })
  @ApiOperation({
    summary: 'Add a signature key to this device',
    description: 'With its proof, and with the key that it succeeds, if any.',
  })
  addKey(@CurrentDevice() caller: Caller, @Body({ schema: AddKey }) body: AddKey) {
    return this.keys.add(caller, body)
  }

  @Delete('self/keys/:id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Retire a signature key of this device', description: '409 for the last valid one.' })
  retireKey(@CurrentDevice() caller: Caller, @Param('id', { schema: RowIdText }) id: bigint) {
    return this.keys.retire(caller, id)
  }
}
