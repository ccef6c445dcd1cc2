import { TlsWriter } from './tls/writer.js'

/**
 * What a device proves possession of its keys for, or a new passkey where it comes from (docs/identity.md §2), with the label of each, to `SignWithLabel` of RFC 9420 §5.1.2: no proof
 * passes for one of another purpose, and no MLS structure for a proof.
 */
export const PROOF_LABELS = {
  login: 'MicroChat Device Login',
  registration: 'MicroChat Registration',
  'new-device': 'MicroChat New Device',
  'new-key': 'MicroChat New Key',
  'new-passkey': 'MicroChat New Passkey',
} as const
export type ProofPurpose = keyof typeof PROOF_LABELS

export const DEVICE_LOGIN_LABEL = PROOF_LABELS.login

/** What a device proves possession of its signature key over: one server, one client, one nonce, one deadline. */
export interface DeviceLogin {
  /** Domain of the server, as it names itself; a proof for one server is worthless at another. */
  readonly domain: string
  /** Client URI, `mimi://<domain>/d/<user>/<device>`. */
  readonly client: string
  readonly nonce: Uint8Array
  /** Whole seconds since 1970, as the challenge said. */
  readonly expiresAt: bigint
}

/**
 * The `content` that the label is signed with:
 *
 * ```
 * struct { opaque domain<V>; opaque client_uri<V>; opaque nonce<V>; uint64 expires_at; } DeviceLogin;
 * ```
 *
 * For a login the signature is `SignWithLabel(key, "MicroChat Device Login", DeviceLogin)`, that is over
 * `struct { opaque label<V> = "MLS 1.0 MicroChat Device Login"; opaque content<V>; }`. For domain `example.com`, client
 * `mimi://example.com/d/alice/phone`, nonce `00 01 … 1f` and expiry 1700000000 the content is (hex)
 *
 * ```
 * 0b 6578616d706c652e636f6d
 * 20 6d696d693a2f2f6578616d706c652e636f6d2f642f616c6963652f70686f6e65
 * 20 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
 * 000000006553f100
 * ```
 *
 * and its Ed25519 signature (RFC 8032) under the private key of 32 bytes 07 is in this file's test.
 */
export function deviceLoginContent(login: DeviceLogin): Uint8Array {
  return new TlsWriter()
    .opaque(Buffer.from(login.domain, 'utf8'))
    .opaque(Buffer.from(login.client, 'utf8'))
    .opaque(login.nonce)
    .uint64(login.expiresAt)
    .written()
}
