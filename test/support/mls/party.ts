import {
  createCommit,
  createGroup,
  createGroupInfoWithExternalPub,
  createGroupInfoWithExternalPubAndRatchetTree,
  createProposal,
  defaultCapabilities,
  defaultCredentialTypes,
  defaultExtensionTypes,
  defaultProposalTypes,
  encode,
  generateKeyPackageWithKey,
  getCiphersuiteImpl,
  getOwnSignatureKeyPair,
  joinGroup,
  joinGroupExternal,
  makeKeyPackageRef,
  mlsMessageEncoder,
  nodeTypes,
  processMessage,
  protocolVersions,
  unsafeTestingAuthenticationService,
  wireformats,
  type CiphersuiteName,
  type ClientState,
  type GroupContextExtension,
  type KeyPackage,
  type MlsContext,
  type MlsFramedMessage,
  type Node,
  type PrivateKeyPackage,
  type Proposal,
} from 'ts-mls-client'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'

export const SUITE_NAMES: ReadonlyMap<number, CiphersuiteName> = new Map([
  [1, 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'],
  [2, 'MLS_128_DHKEMP256_AES128GCM_SHA256_P256'],
])

export interface Device {
  readonly name: string
  readonly keyPackage: KeyPackage
  readonly privateKeys: PrivateKeyPackage
}

/** The client library failed where it should not: nothing a server could be blamed for. */
export class ClientFailed extends Error {}

/** A Commit as a client submits it. */
export interface Bundle {
  readonly commit: Uint8Array
  readonly welcomes: Uint8Array[]
  readonly groupInfo: Uint8Array
}

/**
 * A group of real MLS clients in memory, all public handshakes. Whatever one of them sends, all others process. The library is
 * a release candidate that refuses some valid trees and paths; a client to which that happens has no state any more, but stays
 * a member, as it would in life.
 */
export class Party {
  readonly states = new Map<string, ClientState>()

  private constructor(
    readonly context: MlsContext,
    readonly groupId: Uint8Array,
  ) {}

  static async of(suite: number, groupId: Uint8Array = Buffer.from('a party')): Promise<Party> {
    const cipherSuite = await getCiphersuiteImpl(SUITE_NAMES.get(suite) as CiphersuiteName)
    return new Party({ cipherSuite, authService: unsafeTestingAuthenticationService }, new Uint8Array(groupId))
  }

  /** A new device, or one that lost its state but kept the signature key of a member. */
  async device(name: string, keysOf?: string): Promise<Device> {
    const { cipherSuite } = this.context
    const known = keysOf === undefined ? undefined : getOwnSignatureKeyPair(this.state(keysOf))
    const { signKey, publicKey } = known ?? (await cipherSuite.signature.keygen())
    const { publicPackage, privatePackage } = await generateKeyPackageWithKey({
      signatureKeyPair: { signKey, publicKey },
      credential: { credentialType: defaultCredentialTypes.basic, identity: new TextEncoder().encode(name) },
      capabilities: { ...defaultCapabilities(), proposals: [0x000a] },
      cipherSuite,
    })
    return { name, keyPackage: publicPackage, privateKeys: privatePackage }
  }

  keyPackageRef(device: Device): Promise<Uint8Array> {
    return makeKeyPackageRef(device.keyPackage, this.context.cipherSuite.hash)
  }

  /** The GroupInfo of epoch 0. */
  async found(name: string, extensions: GroupContextExtension[] = []): Promise<Uint8Array> {
    const { keyPackage, privateKeys } = await this.device(name)
    const { context, groupId } = this
    this.states.set(name, await createGroup({ context, groupId, keyPackage, privateKeyPackage: privateKeys, extensions }))
    return this.groupInfo(name)
  }

  async commit(by: string, proposals: Proposal[] = [], joining: Device[] = []): Promise<Bundle> {
    const adds = joining.map(({ keyPackage }) => ({ proposalType: defaultProposalTypes.add, add: { keyPackage } }))
    const { context } = this
    const options = { wireAsPublicMessage: true, extraProposals: [...proposals, ...adds] }
    const result = await createCommit({ context, state: this.state(by), ...options }).catch((error: unknown) => {
      throw new ClientFailed('the client cannot commit to a valid tree', { cause: error })
    })
    this.forgetRemoved(result.newState)
    await this.deliver(by, result.commit)
    this.states.set(by, result.newState)
    for (const { name, keyPackage, privateKeys } of joining) {
      if (result.welcome === undefined) throw new Error('no Welcome')
      const { welcome } = result.welcome
      const { ratchetTree } = result.newState
      const state = await joinGroup({ context, welcome, keyPackage, privateKeys, ratchetTree }).catch(() => undefined)
      if (state !== undefined) this.states.set(name, state)
    }
    const welcomes = result.welcome === undefined ? [] : [encode(mlsMessageEncoder, result.welcome)]
    return { commit: encode(mlsMessageEncoder, result.commit), welcomes, groupInfo: await this.groupInfo(by) }
  }

  async propose(by: string, proposal: Proposal): Promise<Uint8Array> {
    const { context } = this
    const result = await createProposal({ context, state: this.state(by), wireAsPublicMessage: true, proposal })
    await this.deliver(by, result.message)
    this.states.set(by, result.newState)
    return encode(mlsMessageEncoder, result.message)
  }

  /** `resync` replaces the leaf of the member of the same name. Undefined if the client refuses the tree, as it does some valid ones. */
  async joinExternally({ name, keyPackage, privateKeys }: Device, resync = false): Promise<Bundle | undefined> {
    const member = [...this.states.values()].at(-1) as ClientState
    const groupInfo = await createGroupInfoWithExternalPub(member, [], this.context.cipherSuite)
    const { context } = this
    const tree = member.ratchetTree
    const joining = joinGroupExternal({ context, groupInfo, keyPackage, privateKeys, resync, tree })
    const joined = await joining.catch(() => undefined)
    if (joined === undefined) return undefined
    const { publicMessage, newState } = joined
    if (resync) this.states.delete(name)
    const commit = { version: protocolVersions.mls10, wireformat: wireformats.mls_public_message, publicMessage }
    await this.deliver(name, commit)
    this.states.set(name, newState)
    return { commit: encode(mlsMessageEncoder, commit), welcomes: [], groupInfo: await this.groupInfo(name) }
  }

  remove(name: string): Proposal {
    return { proposalType: defaultProposalTypes.remove, remove: { removed: this.leafIndex(name) } }
  }

  leafIndex(name: string): number {
    return this.state(name).privatePath.leafIndex
  }

  state(name: string): ClientState {
    const state = this.states.get(name)
    if (state === undefined) throw new Error(`${name} is not in the group`)
    return state
  }

  async groupInfo(by: string): Promise<Uint8Array> {
    const { cipherSuite } = this.context
    // The library writes the bare key, where RFC 9420 §12.4.3.2 has a vector.
    const exportPublicKey: typeof cipherSuite.hpke.exportPublicKey = async (key) =>
      new TlsWriter().opaque(await cipherSuite.hpke.exportPublicKey(key)).written()
    const groupInfo = await createGroupInfoWithExternalPub(this.state(by), [], {
      ...cipherSuite,
      hpke: { ...cipherSuite.hpke, exportPublicKey },
    })
    return encode(mlsMessageEncoder, { version: protocolVersions.mls10, wireformat: wireformats.mls_group_info, groupInfo })
  }

  async tree(by: string): Promise<Uint8Array> {
    const { extensions } = await createGroupInfoWithExternalPubAndRatchetTree(this.state(by), [], this.context.cipherSuite)
    const tree = extensions.find(({ extensionType }) => extensionType === defaultExtensionTypes.ratchet_tree)
    return tree?.extensionData ?? new Uint8Array()
  }

  /** Names by leaf index, as a member sees them. */
  roster(by: string): [number, string][] {
    return this.state(by).ratchetTree.flatMap((node, index) => (node === undefined || index % 2 === 1 ? [] : [[index / 2, nameOf(node)]]))
  }

  /** Removed members go without a word: this client cannot process every Commit that removes it. */
  private forgetRemoved({ ratchetTree }: ClientState): void {
    for (const name of this.states.keys()) {
      if (nameOf(ratchetTree[2 * this.leafIndex(name)]) !== name) this.states.delete(name)
    }
  }

  private async deliver(by: string, message: MlsFramedMessage): Promise<void> {
    for (const [name, state] of this.states) {
      if (name === by) continue
      const result = await processMessage({ context: this.context, state, message }).catch(() => undefined)
      if (result === undefined) this.states.delete(name)
      else this.states.set(name, result.newState)
    }
  }
}

function nameOf(node: Node | undefined): string {
  const credential = node?.nodeType === nodeTypes.leaf ? node.leaf.credential : undefined
  return new TextDecoder().decode(credential !== undefined && 'identity' in credential ? credential.identity : undefined)
}
