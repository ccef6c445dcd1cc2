import { certificateOf, lastNumber, type Certified, type DeviceList } from '../../protocol/identity/device-list.js'
import { spellingOf } from '../../protocol/identity/certificates.js'
import { broken, valid, type Checked } from '../../protocol/identity/rules.js'
import type { CertifiableDevice } from './device-lists.repository.js'

/** What entries do to certificates. */
export interface ListChange {
  /** Certificates of new entries, in their order; one may have ended again. */
  readonly added: readonly Certified[]
  /** Certificates that the new entries end, new ones too. */
  readonly ended: readonly Certified[]
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
  /** Devices that had a certificate and have none any more. */
  readonly revoked: readonly bigint[]
}

/** @param before undefined: the list begins with these entries */
export function changeOfList(before: DeviceList | undefined, after: DeviceList): ListChange {
  const certificates = [...after.certificates.values()]
  const known = before === undefined ? 0 : lastNumber(before)
  return {
    added: certificates.filter(({ number }) => number > known),
    ended: certificates.filter(({ end }) => end !== undefined && end.number > known),
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
  const { added, ended } = changeOfList(before, after)
  const registered = new Set(devices.map(({ client }) => client))
  if (added.some(({ kind, subject }) => kind === 'device' && !registered.has(subject))) return broken('device-registered')
  const certified = devices.flatMap((device) => {
    const certificate = certificateOf(after, device.client)
    return certificate === undefined || !added.includes(certificate) ? [] : [certifiedKeys(device, certificate)]
  })
  if (whole !== undefined && !certified.some(({ deviceId }) => deviceId === whole)) return broken('device-certified')
  if (certified.some(({ unknown, deviceId, left }) => unknown || (deviceId === whole && left.length > 0))) return broken('device-keys')
  const without = new Set(ended.map(({ subject }) => subject).filter((client) => certificateOf(after, client) === undefined))
  return valid({ certified, revoked: devices.flatMap(({ client, deviceId }) => (without.has(client) ? [deviceId] : [])) })
}

function certifiedKeys({ deviceId, keys }: CertifiableDevice, { number, keys: listed }: Certified) {
  const wanted = new Set(listed.map(spellingOf))
  const isNamed = (key: CertifiableDevice['keys'][number]) => wanted.has(spellingOf(key))
  const named = keys.filter(isNamed).map(({ keyId }) => keyId)
  const left = keys.filter((key) => !isNamed(key)).map(({ keyId }) => keyId)
  return { deviceId, number, named, left, unknown: named.length < wanted.size }
}
