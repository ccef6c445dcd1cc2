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
  generateKeyPackage,
  getCiphersuiteImpl,
  joinGroup,
  joinGroupExternal,
  makeKeyPackageRef,
  mlsMessageEncoder,
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
  type PrivateKeyPackage,
  type Proposal,
} from 'ts-mls-client'

export const SUITE_NAMES: ReadonlyMap<number, CiphersuiteName> = new Map([
  [1, 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'],
  [2, 'MLS_128_DHKEMP256_AES128GCM_SHA256_P256'],
])

export interface Device {
  readonly name: string
  readonly keyPackage: KeyPackage
  readonly privateKeys: PrivateKeyPackage
}

/** A Commit as a client submits it. */
export interface Bundle {
  readonly commit: Uint8Array
  readonly welcomes: Uint8Array[]
  readonly groupInfo: Uint8Array
}

/** A group of real MLS clients in memory, all public handshakes. Whatever one of them sends, all others process. */
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

  async device(name: string): Promise<Device> {
    const { publicPackage, privatePackage } = await generateKeyPackage({
      credential: { credentialType: defaultCredentialTypes.basic, identity: new TextEncoder().encode(name) },
      capabilities: { ...defaultCapabilities(), proposals: [0x000a] },
      cipherSuite: this.context.cipherSuite,
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
    const result = await createCommit({
      context,
      state: this.state(by),
      wireAsPublicMessage: true,
      extraProposals: [...proposals, ...adds],
    })
    await this.deliver(by, result.commit)
    this.states.set(by, result.newState)
    for (const { name, keyPackage, privateKeys } of joining) {
      if (result.welcome === undefined) throw new Error('no Welcome')
      const { welcome } = result.welcome
      const { ratchetTree } = result.newState
      this.states.set(name, await joinGroup({ context, welcome, keyPackage, privateKeys, ratchetTree }))
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

  /** `resync` replaces the leaf of the member of the same name. */
  async joinExternally({ name, keyPackage, privateKeys }: Device, resync = false): Promise<Bundle> {
    const member = [...this.states.values()].at(-1) as ClientState
    const groupInfo = await createGroupInfoWithExternalPub(member, [], this.context.cipherSuite)
    const { context } = this
    const { publicMessage, newState } = await joinGroupExternal({
      context,
      groupInfo,
      keyPackage,
      privateKeys,
      resync,
      tree: member.ratchetTree,
    })
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
    const groupInfo = await createGroupInfoWithExternalPub(this.state(by), [], this.context.cipherSuite)
    return encode(mlsMessageEncoder, { version: protocolVersions.mls10, wireformat: wireformats.mls_group_info, groupInfo })
  }

  async tree(by: string): Promise<Uint8Array> {
    const { extensions } = await createGroupInfoWithExternalPubAndRatchetTree(this.state(by), [], this.context.cipherSuite)
    const tree = extensions.find(({ extensionType }) => extensionType === defaultExtensionTypes.ratchet_tree)
    return tree?.extensionData ?? new Uint8Array()
  }

  private async deliver(by: string, message: MlsFramedMessage): Promise<void> {
    for (const [name, state] of this.states) {
      if (name === by) continue
      const result = await processMessage({ context: this.context, state, message })
      if (result.newState.groupActiveState.kind === 'removedFromGroup') this.states.delete(name)
      else this.states.set(name, result.newState)
    }
  }
}
