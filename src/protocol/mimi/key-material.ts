import { readKeyPackage } from '../mls/structures/key-package.js'
import { readCredential, writeCredential, type Credential } from '../mls/structures/credential.js'
import { decodeWhole, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { bytesOf, readEnum, readProtocol, readRoomUri, readUri, writeEnum, writeProtocol, writeText } from './common.js'

const MAX_SUITES = 32
const MAX_TYPES = 64
const MAX_CLIENTS = 1_000

/** The label of the requester's signature (SignWithLabel, RFC 9420 §5.1.2). */
export const KEY_MATERIAL_LABEL = 'KeyMaterialRequestTBS'

export interface KeyMaterialRequest {
  readonly requestingUser: string
  readonly targetUser: string
  readonly roomId: string
  readonly cipherSuites: readonly number[]
  readonly required: {
    readonly extensions: readonly number[]
    readonly proposals: readonly number[]
    readonly credentials: readonly number[]
  }
  readonly signatureKey: Uint8Array
  readonly credential: Credential
}

export interface SignedKeyMaterialRequest extends KeyMaterialRequest {
  readonly signature: Uint8Array
  /** KeyMaterialRequestTBS. */
  readonly tbs: Uint8Array
}

/** What its signature covers. */
export function keyMaterialRequestTbs(request: KeyMaterialRequest): Uint8Array {
  const writer = writeProtocol(new TlsWriter())
  writeText(writeText(writeText(writer, request.requestingUser), request.targetUser), request.roomId)
  for (const types of [request.cipherSuites, request.required.extensions, request.required.proposals, request.required.credentials])
    writer.vector(types, (item, type) => item.uint16(type))
  writeCredential(writer.opaque(request.signatureKey), request.credential)
  return writer.written()
}

/** `KeyMaterialRequest`. @param tbs of `keyMaterialRequestTbs` @param signature SignWithLabel over it (RFC 9420 §5.1.2) */
export function encodeKeyMaterialRequest(tbs: Uint8Array, signature: Uint8Array): Uint8Array {
  return new TlsWriter().raw(tbs).opaque(signature).written()
}

/** `KeyMaterialRequest`, with the bytes that its signature covers; whether it verifies, the caller finds out. */
export function decodeKeyMaterialRequest(bytes: Uint8Array): Decoded<SignedKeyMaterialRequest> {
  return decodeWhole(bytes, readKeyMaterialRequest)
}

/** `KeyMaterialRequest` within another body. @throws Malformed */
export function readKeyMaterialRequest(reader: TlsReader): SignedKeyMaterialRequest {
  const start = reader.position
  readProtocol(reader)
  const [requestingUser, targetUser, roomId] = [readUri(reader), readUri(reader), readRoomUri(reader)]
  const cipherSuites = readTypes(reader, MAX_SUITES)
  const required = { extensions: readTypes(reader), proposals: readTypes(reader), credentials: readTypes(reader) }
  const [signatureKey, credential] = [reader.opaque(), readCredential(reader)]
  const tbs = reader.since(start)
  return { requestingUser, targetUser, roomId, cipherSuites, required, signatureKey, credential, tbs, signature: reader.opaque() }
}

function readTypes(reader: TlsReader, most = MAX_TYPES): number[] {
  return reader.vector(most, (item) => item.uint16())
}

const USER_CODES = [
  'success',
  'partial-success',
  'incompatible-protocol',
  'no-compatible-material',
  'user-unknown',
  'no-consent',
  'no-consent-for-this-room',
  'user-deleted',
] as const
const CLIENT_CODES = ['success', 'key-material-exhausted', 'nothing-compatible'] as const

export type KeyMaterialUserCode = (typeof USER_CODES)[number]

/** One client of the user; `capabilities`, the encoded struct, may come with nothing-compatible. */
export type ClientKeyMaterial =
  | { readonly status: 'success'; readonly client: string; readonly keyPackage: Uint8Array }
  | { readonly status: 'key-material-exhausted'; readonly client: string }
  | { readonly status: 'nothing-compatible'; readonly client: string }

export interface KeyMaterialResponse {
  readonly userStatus: KeyMaterialUserCode
  readonly user: string
  readonly clients: readonly ClientKeyMaterial[]
}

/** `KeyMaterialResponse`; KeyPackages without the MLSMessage frame. */
export function encodeKeyMaterialResponse({ userStatus, user, clients }: KeyMaterialResponse): Uint8Array {
  const writer = writeEnum(writeProtocol(new TlsWriter()), USER_CODES, userStatus)
  writeText(writer, user).vector(clients, (item, client) => {
    writeText(writeEnum(item, CLIENT_CODES, client.status), client.client)
    if (client.status === 'success') item.raw(client.keyPackage)
    if (client.status === 'nothing-compatible') item.uint8(0) // the capabilities are left out
  })
  return writer.written()
}

/** `KeyMaterialResponse`. Malformed for more than 1,000 clients, or a KeyPackage that is none. */
export function decodeKeyMaterialResponse(bytes: Uint8Array): Decoded<KeyMaterialResponse> {
  return decodeWhole(bytes, (reader) => {
    readProtocol(reader)
    const userStatus = readEnum(reader, USER_CODES)
    return { userStatus, user: readUri(reader), clients: reader.vector(MAX_CLIENTS, readClient) }
  })
}

function readClient(reader: TlsReader): ClientKeyMaterial {
  const status = readEnum(reader, CLIENT_CODES)
  const client = readUri(reader)
  switch (status) {
    case 'success':
      return { status, client, keyPackage: bytesOf(reader, readKeyPackage) }
    case 'nothing-compatible':
      reader.optional(skipCapabilities)
      return { status, client }
    case 'key-material-exhausted':
      return { status, client }
  }
}

/** `Capabilities` (RFC 9420 §7.2), which nobody here asks for. */
function skipCapabilities(reader: TlsReader): void {
  for (let list = 0; list < 5; list++) reader.countVector((item) => item.uint16())
}
