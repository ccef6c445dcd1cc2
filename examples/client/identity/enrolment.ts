import type { Device } from '../device.js'
import { ServerProblem } from '../http.js'
import type { Possession } from '../proofs.js'
import { handOver } from './beginning.js'
import type { SigningKey } from './keys.js'
import type { DeviceListUpdate } from './structures.js'

/** The entry that certifies a new device, as it was sent with the device: kept until the server has it. */
export interface SignedEnrolment extends DeviceListUpdate {
  device: Possession & { client: string }
}

/**
 * A device of this user certifies another one, and has the server add it. What was signed is kept until the server has it, and sent again byte for
 * byte when no answer came (docs/identity.md §2). @param by a passkey that certifies it instead
 */
export function enrolDevice(device: Device, other: Device, by?: SigningKey): Promise<void> {
  const { own, record } = device
  return own.again(async () => {
    // Nothing is signed beside what has no answer yet.
    if (record.signed) await own.change(async () => [])
    if ((await finishEnrolment(device)) !== other.client) {
      const proven = { client: other.client, ...(await other.proofs.possession('new-device')) }
      const list = await own.certificateFor(other.client, await other.own.possess(own.kept.list.identity), by)
      record.enrolling = { ...list, device: proven }
      await send(device, record.enrolling)
    }
    handOver(device, other)
  })
}

type Enroller = Pick<Device, 'http' | 'own' | 'record'>

/**
 * Before anything else is signed: an enrolment without an answer goes to the server again, unless the list has it. One that the server refuses is void.
 * @returns client URI of the device that is in the list by that
 */
export async function finishEnrolment(device: Enroller): Promise<string | undefined> {
  const { enrolling } = device.record
  if (!enrolling) return undefined
  try {
    if (device.own.has(enrolling)) delete device.record.enrolling
    else await send(device, enrolling)
    return enrolling.device.client
  } catch (error) {
    if (device.record.enrolling) throw error
    return undefined
  }
}

async function send({ http, own, record }: Enroller, { device, ...list }: SignedEnrolment): Promise<void> {
  try {
    await http.post('/v1/devices', { ...device, device_list: list })
  } catch (error) {
    // Without an answer the server may have it.
    if (!(error instanceof ServerProblem) || error.status >= 500) throw error
    // It may have had it before: then the challenge has been used.
    await own.identities.of(record.user, { fresh: true })
    if (!own.has(list)) {
      delete record.enrolling
      throw error
    }
  }
  delete record.enrolling
  own.accepted(list)
}
