import type { Certified, DeviceList } from '../../protocol/identity/list.js'
import { certificateOf, spellingOf } from '../../protocol/identity/list.js'
import { broken, valid, type Checked } from '../../protocol/identity/rules.js'
import type { CertifiableDevice } from './device-lists.repository.js'

/** What entries do to certificates. */
export interface ListChange {
  /** Certificates of new entries, in their order; one may have ended again. */
  readonly added: readonly Certified[]
  /** Certificates of earlier entries that the new ones end. */
  readonly ended: readonly { readonly number: number; readonly ended: number }[]
}

/** What follows for the devices of the account. */
export interface DeviceChange {
  /** Devices with a new certificate: the keys that it names, and the valid ones that it leaves out. */
  readonly certified: readonly {
    readonly deviceId: bigint
    readonly number: number
    readonly named: readonly bigint[]
    readonly left: readonly bigint[]
  }[]
  /** Devices that have no active certificate any more. */
  readonly revoked: readonly bigint[]
}

/** @param before undefined: the list begins with these entries */
export function changeOfList(before: DeviceList | undefined, after: DeviceList): ListChange {
  const certificates = [...after.certificates.values()]
  const known = before?.number ?? 0
  return {
    added: certificates.filter(({ number }) => number > known),
    ended: certificates.flatMap(({ number, ended }) =>
      number <= known && ended !== undefined && before?.certificates.get(number)?.ended === undefined ? [{ number, ended }] : [],
    ),
  }
}

/**
 * Whether a list fits the devices that are registered, and what it changes for them.
 * @param devices the active ones of the account
 * @param whole a device that has to get a certificate which names all of its keys
 */
export function changeOfDevices(
  before: DeviceList | undefined,
  after: DeviceList,
  devices: readonly CertifiableDevice[],
  whole: bigint | undefined,
): Checked<DeviceChange> {
  const { added } = changeOfList(before, after)
  const registered = new Set(devices.map(({ client }) => client))
  if (added.some(({ kind, subject }) => kind === 'device' && !registered.has(subject))) return broken('device-registered')
  const uncertified = devices.filter(({ client }) => certificateOf(after, client) === undefined)
  if (before === undefined && uncertified.length > 0) return broken('devices-certified')
  const certified = devices.flatMap((device) => {
    const certificate = certificateOf(after, device.client)
    return certificate === undefined || !added.includes(certificate) ? [] : [certifiedKeys(device, certificate)]
  })
  if (whole !== undefined && !certified.some(({ deviceId }) => deviceId === whole)) return broken('devices-certified')
  if (certified.some(({ unknown, deviceId, left }) => unknown || (deviceId === whole && left.length > 0))) return broken('device-keys')
  return valid({ certified, revoked: uncertified.map(({ deviceId }) => deviceId) })
}

function certifiedKeys({ deviceId, keys }: CertifiableDevice, { number, keys: listed }: Certified) {
  const wanted = new Set(listed.map(spellingOf))
  const isNamed = (key: CertifiableDevice['keys'][number]) => wanted.has(spellingOf(key))
  const named = keys.filter(isNamed).map(({ keyId }) => keyId)
  const left = keys.filter((key) => !isNamed(key)).map(({ keyId }) => keyId)
  return { deviceId, number, named, left, unknown: named.length < wanted.size }
}
