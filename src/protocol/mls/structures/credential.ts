import type { TlsReader } from '../../tls/reader.js'
import type { TlsWriter } from '../../tls/writer.js'
import { clientNamedIn, decodeCertificate } from '../../x509/certificate.js'

/** RFC 9420 §17.5. */
export const CREDENTIAL_TYPES = { basic: 1, x509: 2 } as const

const MAX_CERTIFICATES = 32

/** RFC 9420 §5.3. */
export type Credential =
  | { readonly kind: 'basic'; readonly identity: Uint8Array }
  | { readonly kind: 'x509'; readonly certificates: readonly Uint8Array[] }
  | { readonly kind: 'other'; readonly type: number; readonly data: Uint8Array }

/**
 * Credential of RFC 9420 §5.3, of at most 32 certificates. A type other than basic and x509 is read as one vector: the RFC gives
 * unknown credentials no length, and one vector is what implementations write for custom credentials and what later drafts define.
 * @throws Malformed
 */
export function readCredential(reader: TlsReader): Credential {
  const type = reader.uint16()
  switch (type) {
    case CREDENTIAL_TYPES.basic:
      return { kind: 'basic', identity: reader.opaque() }
    case CREDENTIAL_TYPES.x509:
      return { kind: 'x509', certificates: reader.vector(MAX_CERTIFICATES, (item) => item.opaque()) }
    default:
      return { kind: 'other', type, data: reader.opaque() }
  }
}

/** The inverse of `readCredential`: Credential of RFC 9420 §5.3. */
export function writeCredential(writer: TlsWriter, credential: Credential): void {
  switch (credential.kind) {
    case 'basic':
      writer.uint16(CREDENTIAL_TYPES.basic).opaque(credential.identity)
      return
    case 'x509':
      writer.uint16(CREDENTIAL_TYPES.x509).vector(credential.certificates, (item, der) => item.opaque(der))
      return
    case 'other':
      writer.uint16(credential.type).opaque(credential.data)
  }
}

/** Its CredentialType on the wire (RFC 9420 §17.5), which capabilities list. */
export function credentialType(credential: Credential): number {
  return credential.kind === 'other' ? credential.type : CREDENTIAL_TYPES[credential.kind]
}

// A byte order mark is kept, so that different identities never become the same text.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The identity of a basic credential as text (here: a client URI), or undefined for other credentials and for bytes that are not UTF-8. */
export function identityText(credential: Credential): string | undefined {
  if (credential.kind !== 'basic') return undefined
  try {
    return utf8.decode(credential.identity)
  } catch {
    return undefined
  }
}

/** X.509 credentials are read once: trees are gone through often. */
const named = new WeakMap<Credential, { readonly client: string | undefined }>()

/**
 * Whom a credential names: the text of a basic credential's identity, or the client URI of an X.509 one, whose chain is not checked here
 * (docs/x509.md §2). Undefined for others, and for what names nobody.
 */
export function namedIdentity(credential: Credential): string | undefined {
  if (credential.kind !== 'x509') return identityText(credential)
  const known = named.get(credential) ?? { client: clientOfChain(credential.certificates) }
  named.set(credential, known)
  return known.client
}

function clientOfChain([first]: readonly Uint8Array[]): string | undefined {
  const decoded = first && decodeCertificate(first)
  return decoded?.kind === 'decoded' ? clientNamedIn(decoded.value) : undefined
}

/** Bytes that two credentials share if they name the same; undefined where `namedIdentity` has none but for a basic one, which may hold any bytes. */
export function identityBytes(credential: Credential): Uint8Array | undefined {
  if (credential.kind === 'basic') return credential.identity
  const client = namedIdentity(credential)
  return client === undefined ? undefined : Buffer.from(client)
}
