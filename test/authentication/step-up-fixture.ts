import { fromBase64url } from '../../src/platform/http/bytes.js'
import { addedDeviceSubject, stepUpContent, type StepUp, type StepUpPurpose } from '../../src/protocol/identity/step-up.js'
import { signWithLabel } from '../../src/protocol/mls/signature.js'
import type { Challenge, DeviceKey, TestDevice } from './device-fixture.js'

/** The field `Step-Up` with the proof that this key signs, or one that is off by `change` or `label`. */
export async function stepUpField(
  key: DeviceKey,
  client: string,
  challenge: Challenge,
  subject: Uint8Array,
  change: Partial<StepUp> = {},
  label = challenge.label,
): Promise<string> {
  const nonce = fromBase64url(challenge.nonce) ?? new Uint8Array()
  const content = stepUpContent({ domain: challenge.domain, client, nonce, expiresAt: BigInt(challenge.expires_at), subject, ...change })
  const proof = await signWithLabel(key.privateKey, label, content)
  const item = (bytes: Uint8Array) => `:${Buffer.from(bytes).toString('base64')}:`
  return `nonce=${item(nonce)}, key=${item(key.publicKey)}, proof=${item(proof)}`
}

interface Need {
  readonly purpose: StepUpPurpose
  readonly subject: string | Uint8Array
}

/** Which step-up proof an operation needs, by the table of docs/identity.md §8. @param operation method and path */
export async function stepUpNeed({ http, client, accessToken }: TestDevice, operation: string, body: unknown): Promise<Need | undefined> {
  const given = body as AddedDevice & { public_key: string }
  if (operation === 'POST /v1/devices') return { purpose: 'add-device', subject: subjectOf(given) }
  if (operation === 'POST /v1/devices/self/keys') return { purpose: 'add-key', subject: fromBase64url(given.public_key) ?? '' }
  const revoked = /^DELETE \/v1\/devices\/([^/?]+)(?:\?.*)?$/.exec(operation)?.[1]
  if (revoked !== undefined) return { purpose: 'revoke-device', subject: client.replace(/[^/]+$/, revoked) }
  const retired = /^DELETE \/v1\/devices\/self\/keys\/(\d+)$/.exec(operation)?.[1]
  if (retired === undefined) return undefined
  const devices = (await http.call('GET', '/v1/devices', { token: accessToken })).body.devices ?? []
  const key = devices.flatMap(({ signature_keys }) => signature_keys).find(({ id }) => String(id) === retired)
  return { purpose: 'retire-key', subject: fromBase64url(key?.public_key ?? '') ?? '' }
}

interface AddedDevice {
  client: string
  signature_keys: { scheme: number; public_key: string }[]
}

/** The subject of `add-device` for the body of POST /v1/devices. */
export function subjectOf({ client, signature_keys: keys }: AddedDevice): Uint8Array {
  const listed = keys.map(({ scheme, public_key: key }) => ({ scheme, publicKey: fromBase64url(key) ?? new Uint8Array() }))
  return addedDeviceSubject(client, listed)
}
