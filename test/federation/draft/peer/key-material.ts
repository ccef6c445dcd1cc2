import { decodeCapabilities } from 'ts-mls/capabilities.js'
import { decodeCredential } from 'ts-mls/credential.js'
import { decodeKeyPackage } from 'ts-mls/keyPackage.js'
import { bytes, list, Malformed, opaque, optional, u16, u8, type Reader } from './codec.js'

// Bodies of draft-ietf-mimi-protocol-06 §5.2.

export const MLS10 = 1

export function protocol(reader: Reader): void {
  const value = reader.u8()
  if (value !== MLS10) throw new Malformed(`No such protocol: ${value}`)
}

export const USER_CODES = {
  success: 0,
  partialSuccess: 1,
  incompatibleProtocol: 2,
  noCompatibleMaterial: 3,
  userUnknown: 4,
  noConsent: 5,
  noConsentForThisRoom: 6,
  userDeleted: 7,
} as const
export const CLIENT_CODES = { success: 0, keyMaterialExhausted: 1, nothingCompatible: 2 } as const

export interface KeyMaterialTbs {
  readonly requestingUser: string
  readonly targetUser: string
  readonly roomId: string
  readonly ciphersuites: readonly number[]
  readonly extensions: readonly number[]
  readonly proposals: readonly number[]
  readonly credentials: readonly number[]
  readonly signatureKey: Uint8Array
  /** A Credential of RFC 9420 §5.3, encoded. */
  readonly credential: Uint8Array
}

export function encodeKeyMaterialTbs(tbs: KeyMaterialTbs): Uint8Array {
  const numbers = (values: readonly number[]) => list(values.map(u16))
  return bytes(
    u8(MLS10),
    opaque(tbs.requestingUser),
    opaque(tbs.targetUser),
    opaque(tbs.roomId),
    numbers(tbs.ciphersuites),
    numbers(tbs.extensions),
    numbers(tbs.proposals),
    numbers(tbs.credentials),
    opaque(tbs.signatureKey),
    tbs.credential,
  )
}

export interface KeyMaterialRequest extends KeyMaterialTbs {
  /** What the signature covers. */
  readonly tbs: Uint8Array
  readonly signature: Uint8Array
}

export function readKeyMaterialRequest(reader: Reader): KeyMaterialRequest {
  const start = reader.at
  protocol(reader)
  const numbers = () => reader.list((item) => item.u16())
  const content: KeyMaterialTbs = {
    requestingUser: reader.text(),
    targetUser: reader.text(),
    roomId: reader.text(),
    ciphersuites: numbers(),
    extensions: numbers(),
    proposals: numbers(),
    credentials: numbers(),
    signatureKey: reader.opaque(),
    credential: reader.span((inside) => inside.mls(decodeCredential)),
  }
  const tbs = reader.bytes.slice(start, reader.at)
  return { ...content, tbs, signature: reader.opaque() }
}

export interface ClientKeyMaterial {
  readonly status: number
  readonly client: string
  /** With success only: a KeyPackage without the frame of an MLSMessage. */
  readonly keyPackage?: Uint8Array
}

export interface KeyMaterialResponse {
  readonly status: number
  readonly user: string
  readonly clients: readonly ClientKeyMaterial[]
}

export function encodeKeyMaterialResponse({ status, user, clients }: KeyMaterialResponse): Uint8Array {
  const entries = clients.map((one) => bytes(u8(one.status), opaque(one.client), materialOf(one)))
  return bytes(u8(MLS10), u8(status), opaque(user), list(entries))
}

function materialOf({ status, keyPackage }: ClientKeyMaterial): Uint8Array {
  if (status === CLIENT_CODES.success) return keyPackage ?? new Uint8Array()
  return status === CLIENT_CODES.nothingCompatible ? optional(undefined) : new Uint8Array()
}

export function readKeyMaterialResponse(reader: Reader): KeyMaterialResponse {
  protocol(reader)
  return { status: reader.u8(), user: reader.text(), clients: reader.list(readClient) }
}

function readClient(reader: Reader): ClientKeyMaterial {
  const [status, client] = [reader.u8(), reader.text()]
  if (status === CLIENT_CODES.success) return { status, client, keyPackage: reader.span((inside) => inside.mls(decodeKeyPackage)) }
  if (status === CLIENT_CODES.nothingCompatible) reader.optional((inside) => inside.mls(decodeCapabilities))
  return { status, client }
}
