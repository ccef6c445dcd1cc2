import { signWithLabel } from 'ts-mls/crypto/signature.js'
import type { Client } from '../client/client.js'
import { suite } from '../client/mls/suites.js'
import { vector } from '../client/mls/tls.js'
import { utf8 } from '../client/wire.js'

const MLS10 = Uint8Array.of(1)
const BASIC = Uint8Array.of(0, 1)

/**
 * The GroupInfoRequest of MIMI (docs/federation-profile.md, "GroupInfo"), signed by the device. The answer can be opened only by the one who has
 * the private key of `groupInfoKey`, so a joiner keeps it; here it is thrown away.
 */
export async function groupInfoRequest(client: Client, suiteId = 1): Promise<Uint8Array> {
  const keys = client.device.record.keys.get(suiteId)
  if (!keys) throw new Error(`The device has no key for suite ${suiteId}`)
  const { impl } = await suite(suiteId)
  const { publicKey } = await impl.hpke.generateKeyPair()
  const fields = [
    MLS10,
    Uint8Array.of(suiteId >> 8, suiteId & 0xff),
    vector(keys.publicKey),
    BASIC,
    vector(utf8(client.uri)),
    vector(await impl.hpke.exportPublicKey(publicKey)),
    vector(new Uint8Array()), // no joining code
  ]
  const tbs = new Uint8Array(Buffer.concat(fields))
  const signature = await signWithLabel(keys.signKey, 'GroupInfoRequestTBS', tbs, impl.signature)
  return new Uint8Array(Buffer.concat([tbs, vector(signature)]))
}
