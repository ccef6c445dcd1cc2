import { suite } from '../mls/suites.js'
import type { DeviceRecord } from '../store.js'
import type { SigningKey } from './keys.js'

/** The signature keys of a device, one for each of its cipher suites. */
export function deviceKeys({ keys }: Pick<DeviceRecord, 'keys'>): Promise<SigningKey[]> {
  return Promise.all(
    [...keys].map(async ([id, { publicKey, signKey }]) => {
      const { scheme, impl } = await suite(id)
      return { scheme, publicKey, sign: (content: Uint8Array) => impl.signature.sign(signKey, content) }
    }),
  )
}

/** The first one, which signs entries and heads. */
export async function signingKey(record: Pick<DeviceRecord, 'keys'>): Promise<SigningKey> {
  const [first] = await deviceKeys(record)
  if (!first) throw new Error('A device has a key')
  return first
}
