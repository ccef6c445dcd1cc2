import { sha256 } from '../sha256.js'
import { TlsWriter } from '../tls/writer.js'
import type { ListKey } from './entry.js'

/** docs/identity.md §8: what a step-up proof is for. Each has a label of its own, so that no proof serves two purposes. */
export const STEP_UP_PURPOSES = [
  'add-device',
  'revoke-device',
  'add-key',
  'retire-key',
  'begin-identity',
  'approve-change',
  'refuse-change',
  'delete-account',
] as const
export type StepUpPurpose = (typeof STEP_UP_PURPOSES)[number]

/** For `SignWithLabel` of RFC 9420 §5.1.2. */
export function stepUpLabel(purpose: StepUpPurpose): string {
  return `MicroChat Step-Up ${purpose}`
}

export interface StepUp {
  /** The server's, as it names itself: a proof for one server is worthless at another. */
  readonly domain: string
  /** Client URI of the session. */
  readonly client: string
  readonly nonce: Uint8Array
  /** Seconds since 1970, as the challenge said. */
  readonly expiresAt: bigint
  /** What it is about: see the table in docs/identity.md §8. */
  readonly subject: Uint8Array
}

/** The subject of `add-device`: SHA-256 over the client URI and the keys, in the order of the request. */
export function addedDeviceSubject(client: string, keys: readonly ListKey[]): Uint8Array {
  const content = new TlsWriter().opaque(Buffer.from(client, 'utf8'))
  return new Uint8Array(sha256(content.vector(keys, (item, { scheme, publicKey }) => item.uint16(scheme).opaque(publicKey)).written()))
}

/** The StepUp of docs/identity.md §8, which is signed with `stepUpLabel`. */
export function stepUpContent({ domain, client, nonce, expiresAt, subject }: StepUp): Uint8Array {
  return new TlsWriter()
    .opaque(Buffer.from(domain, 'utf8'))
    .opaque(Buffer.from(client, 'utf8'))
    .opaque(nonce)
    .uint64(expiresAt)
    .opaque(subject)
    .written()
}
