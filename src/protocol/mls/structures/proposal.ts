import { Malformed, type TlsReader } from '../../tls/reader.js'
import { readAppDataUpdate, readAppEphemeral, type AppDataUpdate, type AppEphemeral } from './app-data.js'
import { readExtensions, type Extension } from './extension.js'
import { readKeyPackage, type KeyPackage } from './key-package.js'
import { readLeafNode, type LeafNode } from './leaf-node.js'

/** RFC 9420 §12.1, and the three of draft-ietf-mls-extensions. */
export type Proposal =
  | { readonly kind: 'add'; readonly keyPackage: KeyPackage }
  | { readonly kind: 'update'; readonly leafNode: LeafNode }
  | { readonly kind: 'remove'; readonly removed: number }
  | { readonly kind: 'psk'; readonly psk: PreSharedKeyId }
  | ReInit
  | { readonly kind: 'external-init'; readonly kemOutput: Uint8Array }
  | { readonly kind: 'group-context-extensions'; readonly extensions: readonly Extension[] }
  | AppDataUpdate
  | AppEphemeral
  | { readonly kind: 'self-remove' }

/** RFC 9420 §12.1.5: the group that is to replace this one. */
export interface ReInit {
  readonly kind: 'reinit'
  readonly groupId: Uint8Array
  readonly version: number
  readonly cipherSuite: number
  readonly extensions: readonly Extension[]
}

/** RFC 9420 §8.4; `bytes` is the encoding, by which two are compared. */
export interface PreSharedKeyId {
  readonly bytes: Uint8Array
  readonly source:
    | { readonly kind: 'external'; readonly id: Uint8Array }
    | { readonly kind: 'resumption'; readonly usage: number; readonly groupId: Uint8Array; readonly epoch: bigint }
  readonly nonce: Uint8Array
}

/** RFC 9420 §12.4: by value, or by the ProposalRef (§5.2) of a message of this epoch. */
export type ProposalOrRef =
  { readonly kind: 'proposal'; readonly proposal: Proposal } | { readonly kind: 'reference'; readonly ref: Uint8Array }

/** Proposal types of RFC 9420 §17.4 and of draft-ietf-mls-extensions. */
export const PROPOSAL_TYPES: Readonly<Record<Proposal['kind'], number>> = {
  add: 0x0001,
  update: 0x0002,
  remove: 0x0003,
  psk: 0x0004,
  reinit: 0x0005,
  'external-init': 0x0006,
  'group-context-extensions': 0x0007,
  'app-data-update': 0x0008,
  'app-ephemeral': 0x0009,
  'self-remove': 0x000a,
}

/** Types that a client lists in its capabilities if it supports them (RFC 9420 §7.2). */
export const NON_DEFAULT_PROPOSALS: ReadonlySet<Proposal['kind']> = new Set(['app-data-update', 'app-ephemeral', 'self-remove'])

/** The types that every client supports and need not list (RFC 9420 §7.2). */
export const DEFAULT_PROPOSALS: ReadonlySet<number> = new Set(
  Object.entries(PROPOSAL_TYPES).flatMap(([kind, type]) => ((NON_DEFAULT_PROPOSALS as ReadonlySet<string>).has(kind) ? [] : [type])),
)

/** A proposal of a type that is not known here. It has no length, so nothing after it can be read. */
export class UnknownProposal extends Malformed {}

/** Proposal of RFC 9420 §12.1. @throws UnknownProposal @throws Malformed */
export function readProposal(reader: TlsReader): Proposal {
  const type = reader.uint16()
  switch (type) {
    case PROPOSAL_TYPES.add:
      return { kind: 'add', keyPackage: readKeyPackage(reader) }
    case PROPOSAL_TYPES.update:
      return { kind: 'update', leafNode: readLeafNode(reader) }
    case PROPOSAL_TYPES.remove:
      return { kind: 'remove', removed: reader.uint32() }
    case PROPOSAL_TYPES.psk:
      return { kind: 'psk', psk: readPreSharedKeyId(reader) }
    case PROPOSAL_TYPES.reinit:
      return readReInit(reader)
    case PROPOSAL_TYPES['external-init']:
      return { kind: 'external-init', kemOutput: reader.opaque() }
    case PROPOSAL_TYPES['group-context-extensions']:
      return { kind: 'group-context-extensions', extensions: readExtensions(reader) }
    case PROPOSAL_TYPES['app-data-update']:
      return readAppDataUpdate(reader)
    case PROPOSAL_TYPES['app-ephemeral']:
      return readAppEphemeral(reader)
    case PROPOSAL_TYPES['self-remove']:
      return { kind: 'self-remove' }
    default:
      throw new UnknownProposal(`proposal type ${type} is not supported`)
  }
}

/** ProposalOrRef of RFC 9420 §12.4. @throws Malformed */
export function readProposalOrRef(reader: TlsReader): ProposalOrRef {
  const type = reader.uint8()
  switch (type) {
    case 1:
      return { kind: 'proposal', proposal: readProposal(reader) }
    case 2:
      return { kind: 'reference', ref: reader.opaque() }
    default:
      throw new Malformed(`ProposalOrRef type ${type} is unknown`)
  }
}

function readReInit(reader: TlsReader): ReInit {
  return {
    kind: 'reinit',
    groupId: reader.opaque(),
    version: reader.uint16(),
    cipherSuite: reader.uint16(),
    extensions: readExtensions(reader),
  }
}

function readPreSharedKeyId(reader: TlsReader): PreSharedKeyId {
  const start = reader.position
  const source = readPskSource(reader)
  const nonce = reader.opaque()
  return { source, nonce, bytes: reader.since(start) }
}

function readPskSource(reader: TlsReader): PreSharedKeyId['source'] {
  const type = reader.uint8()
  if (type === 1) return { kind: 'external', id: reader.opaque() }
  if (type !== 2) throw new Malformed(`PSK type ${type} is unknown`)
  const usage = reader.uint8()
  if (usage < 1 || usage > 3) throw new Malformed(`resumption PSK usage ${usage} is unknown`)
  return { kind: 'resumption', usage, groupId: reader.opaque(), epoch: reader.uint64() }
}
