import { z } from 'zod'
import { RowId } from '../../platform/http/bytes.js'
import { NewSignatureKey, NewSignatureKeys, Nonce } from '../challenges/challenges.dto.js'
import { DeviceListUpdate } from '../device-list/device-list.dto.js'
import { DirectoryDevice, DirectoryKey } from '../directory/directory.dto.js'
import { ClientUri } from '../identifiers.dto.js'
import { DEVICE_NAME } from '../../protocol/identifiers.js'

export const AddDevice = z
  .strictObject({
    client: ClientUri,
    nonce: Nonce,
    signature_keys: NewSignatureKeys,
    device_list: DeviceListUpdate.optional().meta({
      description: 'Where the account has a device list: one entry, the new device’s certificate, which names all of its keys',
    }),
  })
  .meta({ id: 'AddDevice' })
export type AddDevice = z.infer<typeof AddDevice>

export const AddKey = z
  .strictObject({
    ...NewSignatureKey.shape,
    nonce: Nonce,
    succeeds: RowId.optional().meta({
      description: 'Id of the valid key that this one is to follow; that key stays valid until it is retired',
    }),
    device_list: DeviceListUpdate.optional().meta({
      description: 'Where the account has a device list: one entry, a certificate that names all keys of this device, the new one too',
    }),
  })
  .meta({ id: 'AddSignatureKey' })
export type AddKey = z.infer<typeof AddKey>

export const OwnKey = DirectoryKey.extend({ id: RowId }).meta({ id: 'SignatureKey' })
export type OwnKey = z.output<typeof OwnKey>

export const OwnDevice = DirectoryDevice.extend({
  current: z.boolean().meta({ description: 'The device that asks' }),
  signature_keys: z.array(OwnKey),
}).meta({ id: 'Device' })
export type OwnDevice = z.output<typeof OwnDevice>

export const OwnDevices = z.object({ devices: z.array(OwnDevice) }).meta({ id: 'Devices' })

/** The last part of a client URI, in a path. */
export const DeviceName = z
  .string()
  .max(64)
  .regex(DEVICE_NAME, 'Expected the last part of a client URI')
  .meta({ examples: ['phone'] })
export type DeviceName = z.infer<typeof DeviceName>

export const RevokeDevice = z.strictObject({
  confirm: z.literal('last-device').optional().meta({ description: 'The last active device of the account is meant' }),
})
export type RevokeDevice = z.infer<typeof RevokeDevice>
