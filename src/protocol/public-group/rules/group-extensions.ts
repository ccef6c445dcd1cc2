import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { decodeExternalSenders } from '../../mls/external-senders.js'
import { decodeAppDataDictionary } from '../../mls/structures/app-data.js'
import {
  DEFAULT_EXTENSIONS,
  EXTENSION_TYPES,
  extensionData,
  type Extension,
  decodeRequiredCapabilities,
} from '../../mls/structures/extension.js'
import { DEFAULT_PROPOSALS } from '../../mls/structures/proposal.js'
import type { Decoded } from '../../tls/reader.js'
import type { SentProposal } from '../proposals/pending-proposals.js'

/** The default extensions that may be in a GroupContext (RFC 9420 §17.3). */
const OF_GROUP: ReadonlySet<number> = new Set([EXTENSION_TYPES.requiredCapabilities, EXTENSION_TYPES.externalSenders])

/** What the extensions of a group ask of its members' capabilities. */
export interface Requirements {
  /** Types of the group's own extensions, less those that every client supports (RFC 9420 §13.4). */
  readonly groupExtensions: readonly number[]
  /** Those that required_capabilities lists (RFC 9420 §11.1), less what every client supports and need not list. */
  readonly extensions: readonly number[]
  readonly proposals: readonly number[]
  readonly credentials: readonly number[]
}

/** What these GroupContext extensions require. A required_capabilities that cannot be read requires nothing: `groupExtensions` refuses it. */
export function requirementsOf(extensions: readonly Extension[]): Requirements {
  const groupExtensions = extensions.map(({ type }) => type).filter((type) => !DEFAULT_EXTENSIONS.has(type))
  const required = decodedExtension(extensions, EXTENSION_TYPES.requiredCapabilities, decodeRequiredCapabilities)
  return {
    groupExtensions,
    extensions: required?.extensions.filter((type) => !DEFAULT_EXTENSIONS.has(type)) ?? [],
    proposals: required?.proposals.filter((type) => !DEFAULT_PROPOSALS.has(type)) ?? [],
    credentials: required?.credentials ?? [],
  }
}

/** The group's extensions as a list of proposals replaces them: as a whole (RFC 9420 §12.1.7), or not at all. */
export function replacedExtensions(before: readonly Extension[], proposals: readonly SentProposal[]): readonly Extension[] {
  const replacement = proposals.map(({ proposal }) => proposal).find((proposal) => proposal.kind === 'group-context-extensions')
  return replacement?.extensions ?? before
}

/** The rules for the extensions of a group that need no members: those known here can be read by everybody. */
export function groupExtensions(extensions: readonly Extension[]): BrokenRule | undefined {
  return (
    groupExtensionPlace(extensions) ??
    readable(extensions, EXTENSION_TYPES.requiredCapabilities, decodeRequiredCapabilities, 'required-capabilities') ??
    readable(extensions, EXTENSION_TYPES.externalSenders, decodeExternalSenders, 'external-senders') ??
    readable(extensions, EXTENSION_TYPES.appDataDictionary, decodeAppDataDictionary, 'app-data-dictionary')
  )
}

/** RFC 9420 §17.3. */
function groupExtensionPlace(extensions: readonly Extension[]): BrokenRule | undefined {
  const holds = extensions.every(({ type }) => OF_GROUP.has(type) || !DEFAULT_EXTENSIONS.has(type))
  return brokenUnless(holds, 'group-context-extension-place')
}

function readable(
  extensions: readonly Extension[],
  type: number,
  decode: (data: Uint8Array) => Decoded<unknown>,
  rule: BrokenRule['rule'],
): BrokenRule | undefined {
  const data = extensionData(extensions, type)
  return brokenUnless(data === undefined || decode(data).kind === 'decoded', rule)
}

/** What an extension holds; undefined if it is not there or cannot be read. */
export function decodedExtension<T>(
  extensions: readonly Extension[],
  type: number,
  decode: (data: Uint8Array) => Decoded<T>,
): T | undefined {
  const data = extensionData(extensions, type)
  const decoded = data && decode(data)
  return decoded?.kind === 'decoded' ? decoded.value : undefined
}
