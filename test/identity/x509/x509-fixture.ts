import { fromBase64url, toBase64url } from '../../../src/platform/http/bytes.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'
import type { Answer, TestDevice } from '../../authentication/device-fixture.js'
import { forgeKeyPackage } from '../../support/mls/forge-leaf.js'
import { now } from '../../support/mls/certificates.js'

export interface Issued {
  certificates: Uint8Array[]
  not_before: number
  not_after: number
}

export const bytes = (text: string): Uint8Array => fromBase64url(text) ?? new Uint8Array()

export function ask(device: TestDevice, publicKey = device.key.publicKey): Promise<Answer> {
  return device.call('POST', '/v1/credentials/x509', { public_key: toBase64url(publicKey) })
}

/** A certificate for the device's first key. */
export async function issued(device: TestDevice): Promise<Issued> {
  const { status, body } = await ask(device)
  if (status !== 200) throw new Error(`Issuing gave ${status} ${JSON.stringify(body)}`)
  const { certificates, ...times } = body as unknown as Omit<Issued, 'certificates'> & { certificates: string[] }
  return { ...times, certificates: certificates.map(bytes) }
}

export async function authoritiesOf(device: TestDevice, domain = 'localhost'): Promise<Uint8Array[]> {
  const { body } = await device.call('GET', `/v1/credentials/x509/authorities?domain=${domain}`)
  return (body as unknown as { authorities: string[] }).authorities.map(bytes)
}

/** Uploads a KeyPackage with these certificates. @param end of its lifetime, in seconds */
export async function upload(device: TestDevice, certificates: readonly Uint8Array[], end = now() + 3_600): Promise<Answer> {
  const leaf = {
    credential: { kind: 'x509', certificates } as const,
    capabilities: { credentials: [1, 2] },
    lifetime: [BigInt(now() - 60), BigInt(end)] as const,
  }
  const keyPackage = await forgeKeyPackage(device.key, device.client, 1, { leaf })
  const message = new TlsWriter().uint32(0x0001_0005).raw(keyPackage).written()
  return device.call('POST', '/v1/key-packages', { key_packages: [toBase64url(message)], last_resort: [] })
}
