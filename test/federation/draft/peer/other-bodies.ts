import { decodeKeyPackage } from 'ts-mls/keyPackage.js'
import { bytes, list, Malformed, opaque, optional, u8, type Reader } from './codec.js'
import { readFrank } from './room-bodies.js'

// Bodies of draft-ietf-mimi-protocol-06 §5.7 to §5.9. An AppDataDictionary is a struct of one vector; none is sent.

const noExtensions = opaque('')

export const CONSENT = { cancel: 0, request: 1, grant: 2, revoke: 3 } as const

export interface ConsentEntry {
  readonly operation: number
  readonly requester: string
  readonly target: string
  readonly room?: string | undefined
  /** With a grant: KeyPackages without frames. */
  readonly keyPackages?: readonly Uint8Array[]
}

export function encodeConsentEntry({ operation, requester, target, room, keyPackages }: ConsentEntry): Uint8Array {
  return bytes(
    u8(operation),
    opaque(requester),
    opaque(target),
    optional(room === undefined ? undefined : opaque(room)),
    operation === CONSENT.grant ? list(keyPackages ?? []) : new Uint8Array(),
    noExtensions,
  )
}

export function readConsentEntry(reader: Reader): ConsentEntry {
  const operation = reader.u8()
  if (operation > CONSENT.revoke) throw new Malformed(`No such ConsentOperation: ${operation}`)
  const scope = { requester: reader.text(), target: reader.text(), room: reader.optional((inside) => inside.text()) }
  const granted = operation === CONSENT.grant
  const keyPackages = granted ? reader.list((item) => item.span((inside) => inside.mls(decodeKeyPackage))) : []
  reader.opaque()
  return { operation, ...scope, keyPackages }
}

export const SEARCH = { handle: 1, nick: 2, email: 3, phone: 4, partialName: 5, wholeProfile: 6, oidcStdClaim: 7, vcardField: 8 } as const

export interface QueryElement {
  readonly type: number
  /** Of oidcStdClaim and vcardField. */
  readonly name?: string
  readonly value: string
}

const isNamed = (type: number): boolean => type === SEARCH.oidcStdClaim || type === SEARCH.vcardField

export function encodeIdentifierRequest(elements: readonly QueryElement[]): Uint8Array {
  const encoded = elements.map(({ type, name, value }) => bytes(u8(type), isNamed(type) ? opaque(name ?? '') : bytes(), opaque(value)))
  return bytes(list(encoded), noExtensions)
}

export function readIdentifierRequest(reader: Reader): QueryElement[] {
  const elements = reader.list((item) => {
    const type = item.u8()
    return { type, ...(isNamed(type) ? { name: item.text() } : {}), value: item.text() }
  })
  reader.opaque()
  return elements
}

export const QUERY_CODES = { success: 0, notFound: 1, ambiguous: 2, forbidden: 3, unsupportedField: 4 } as const

export interface IdentifierResponse {
  readonly code: number
  readonly uris: readonly string[]
}

export function encodeIdentifierResponse({ code, uris }: IdentifierResponse): Uint8Array {
  return bytes(u8(code), list(uris.map(opaque)), list([]), noExtensions)
}

export function readIdentifierResponse(reader: Reader): IdentifierResponse {
  const code = reader.u8()
  if (code > QUERY_CODES.unsupportedField) throw new Malformed(`No such IdentifierQueryCode: ${code}`)
  const uris = reader.list((item) => item.text())
  const field = (item: Reader) => [item.u8(), item.opaque(), item.opaque()]
  reader.list((item) => [item.text(), item.list(field)])
  reader.opaque()
  return { code, uris }
}

export interface AbuseReport {
  readonly reporter: string
  readonly abuser: string
  readonly reason: number
  readonly note: string
}

export function encodeAbuseReport({ reporter, abuser, reason, note }: AbuseReport): Uint8Array {
  return bytes(opaque(reporter), opaque(abuser), u8(reason), opaque(note), list([]), noExtensions)
}

export function readAbuseReport(reader: Reader): AbuseReport {
  const report = { reporter: reader.text(), abuser: reader.text(), reason: reader.u8(), note: reader.text() }
  reader.list((item) => [item.opaque(), readFrank(item), item.u64()])
  reader.opaque()
  return report
}
