import { Malformed } from '../tls/reader.js'
import { DerReader } from './der.js'

const MAX_SUBTREES = 64

/** Constraints on URIs (RFC 5280 §4.2.1.10). Those on other kinds of names bind nothing here, but for names of directories. */
export interface NameConstraints {
  /** Hosts, or with a leading dot the domains below one; undefined: URIs are not limited. */
  readonly permitted: readonly string[] | undefined
  readonly excluded: readonly string[]
  /** There are some on directory names, which the subject of a certificate is. */
  readonly onDirectoryNames: boolean
}

const URI_NAME = 0x86
const DIRECTORY_NAME = 0xa4

/** The extension's value. @throws Malformed */
export function readNameConstraints(value: Uint8Array): NameConstraints {
  const outer = new DerReader(value)
  const reader = outer.sequence()
  outer.expectEnd()
  const [permitted, excluded] = [readSubtrees(reader, 0xa0), readSubtrees(reader, 0xa1)]
  reader.expectEnd()
  return {
    permitted: permitted.uris.length > 0 ? permitted.uris : undefined,
    excluded: excluded.uris,
    onDirectoryNames: permitted.onDirectoryNames || excluded.onDirectoryNames,
  }
}

function readSubtrees(reader: DerReader, tag: number): { uris: string[]; onDirectoryNames: boolean } {
  const uris: string[] = []
  let onDirectoryNames = false
  const list = new DerReader(reader.optional(tag)?.content ?? new Uint8Array())
  for (let count = 0; !list.isAtEnd; count++) {
    const subtree = list.sequence()
    const { tag: kind, content } = subtree.next()
    // RFC 5280: minimum is 0, which DER leaves out, and maximum is absent.
    subtree.expectEnd()
    if (count === MAX_SUBTREES) throw new Malformed('there are too many name constraints')
    if (kind === URI_NAME) uris.push(Buffer.from(content).toString('latin1').toLowerCase())
    if (kind === DIRECTORY_NAME) onDirectoryNames = true
  }
  return { uris, onDirectoryNames }
}

/** Whether a URI is within the constraints: by its host, without a port. */
export function permitsUri({ permitted, excluded }: NameConstraints, uri: string): boolean {
  const host = hostOf(uri)
  if (host === undefined) return false
  return (permitted === undefined || permitted.some((one) => covers(one, host))) && !excluded.some((one) => covers(one, host))
}

/** The host of a client URI; undefined for a text that is no URI with a host. */
export function hostOf(uri: string): string | undefined {
  return /^[a-z]+:\/\/([a-z0-9.-]+)(?::\d+)?\//.exec(uri)?.[1]
}

function covers(constraint: string, host: string): boolean {
  return constraint.startsWith('.') ? host.endsWith(constraint) && host.length > constraint.length : host === constraint
}
