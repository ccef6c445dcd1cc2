import type { KeyObject } from 'node:crypto'
import type { Client } from '../../../examples/client/client.js'
import { importSignatureKey, SCHEME_OF_SUITE } from '../../../src/protocol/mls/signature.js'
import { deviceCertificate, testAuthority } from '../../support/mls/certificates.js'

/** From now on this device's leaves have X.509 credentials, those of new KeyPackages first. */
export async function useX509(client: Client): Promise<void> {
  client.device.record.x509 = true
  await client.device.http.delete('/v1/key-packages')
  await client.device.publishKeyPackages(3)
}

/** The device's leaves say from now on what this certificate says. */
export function show({ device }: Client, make: (key: KeyObject) => Uint8Array | Promise<Uint8Array>): void {
  device.certificates.credential = async (suite) => {
    const key = importSignatureKey(SCHEME_OF_SUITE.get(suite)!, device.record.keys.get(suite)!.publicKey)
    return { credential: { credentialType: 'x509', certificates: [await make(key!)] } }
  }
}

/** A certificate for the device's own key and name, of an authority that nobody has published. */
export const showRogue = (client: Client) => show(client, (key) => deviceCertificate(testAuthority(), key, client.uri))
