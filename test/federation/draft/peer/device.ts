import {
  createGroup,
  generateKeyPackageWithKey,
  joinGroup,
  joinGroupExternal,
  makePskIndex,
  encodeMlsMessage,
  type CiphersuiteImpl,
  type Extension,
  type KeyPackage,
  type Node,
  type PrivateKeyPackage,
  type RatchetTree,
} from 'ts-mls'
import { decryptWithLabel } from 'ts-mls/crypto/hpke.js'
import { signWithLabel, verifyWithLabel } from 'ts-mls/crypto/signature.js'
import { decodeGroupInfo } from 'ts-mls/groupInfo.js'
import { encodeKeyPackage, makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { decodeRatchetTree, encodeRatchetTree } from 'ts-mls/ratchetTree.js'
import { decodeWelcome } from 'ts-mls/welcome.js'
import { bytes, decodeWhole, opaque, type MlsDecoder } from './codec.js'
import { encodeGroupInfoTbs, readOpenGroupInfo, type GroupInfoResponse, type OpenGroupInfo } from './group-info-bodies.js'
import { encodeKeyMaterialTbs } from './key-material.js'
import { groupInfoOf, MlsGroup } from './mls-group.js'
import type { CommitBundle } from './room-bodies.js'
import { basic, clientConfig, encodedBasic, suite, SUITE } from './suite.js'
import { userOf } from './uris.js'

export const hexOf = (raw: Uint8Array): string => Buffer.from(raw).toString('hex')
export const decodeMls = <T>(raw: Uint8Array, decode: MlsDecoder<T>): T => decodeWhole(raw, (reader) => reader.mls(decode))

interface SigningKeys {
  readonly signKey: Uint8Array
  readonly publicKey: Uint8Array
}

/** One client of a user, with the groups that it is in. */
export class Device {
  /** By the room's URI. */
  readonly groups = new Map<string, MlsGroup>()
  readonly user: string
  readonly #packages = new Map<string, { public: KeyPackage; private: PrivateKeyPackage }>()
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(
    readonly client: string,
    private readonly keys: SigningKeys,
    private readonly impl: CiphersuiteImpl,
  ) {
    this.user = userOf(client)
  }

  /** @param keys of its signatures; fresh ones otherwise */
  static async create(client: string, keys?: SigningKeys): Promise<Device> {
    const impl = await suite()
    return new Device(client, keys ?? (await impl.signature.keygen()), impl)
  }

  /** What this client does happens one thing after another. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work)
    this.#turn = run.catch(() => undefined)
    return run
  }

  /** A KeyPackage for one group, to be stored at the provider. */
  async newKeyPackage(): Promise<{ ref: string; keyPackage: Uint8Array }> {
    const made = await this.#makeKeyPackage()
    const ref = hexOf(await makeKeyPackageRef(made.public, this.impl.hash))
    this.#packages.set(ref, made)
    return { ref, keyPackage: encodeKeyPackage(made.public) }
  }

  async #makeKeyPackage() {
    const now = Math.floor(Date.now() / 1000)
    const lifetime = { notBefore: BigInt(now - 3600), notAfter: BigInt(now + 30 * 86_400) }
    const capabilities = {
      versions: ['mls10' as const],
      ciphersuites: ['MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519' as const],
      extensions: [APP_DATA_DICTIONARY],
      proposals: [],
      credentials: ['basic' as const],
    }
    const made = await generateKeyPackageWithKey(basic(this.client), capabilities, lifetime, [], this.keys, this.impl)
    return { public: made.publicPackage, private: made.privatePackage }
  }

  /** A KeyMaterialRequest for all clients of a user (§5.2). */
  async keyMaterialRequest(targetUser: string, roomId: string): Promise<Uint8Array> {
    const tbs = encodeKeyMaterialTbs({
      requestingUser: this.user,
      targetUser,
      roomId,
      ciphersuites: [SUITE],
      extensions: [],
      proposals: [],
      credentials: [],
      signatureKey: this.keys.publicKey,
      credential: encodedBasic(this.client),
    })
    return bytes(tbs, opaque(await this.#sign('KeyMaterialRequestTBS', tbs)))
  }

  /** A group of this client alone (§3.1). */
  async found(room: string, groupId: string, extensions: Extension[]): Promise<{ groupInfo: Uint8Array; tree: Uint8Array }> {
    const own = await this.#makeKeyPackage()
    const id = new Uint8Array(Buffer.from(groupId))
    // ts-mls takes external_senders as one bare struct; at epoch 0 no secret depends on the extensions.
    const created = await createGroup(id, own.public, own.private, [], this.impl, clientConfig)
    const state = { ...created, groupContext: { ...created.groupContext, extensions } }
    this.groups.set(room, new MlsGroup(this.client, state, this.impl))
    return { groupInfo: await groupInfoOf(state, this.impl), tree: encodeRatchetTree(state.ratchetTree) }
  }

  /** @param welcome without the frame of an MLSMessage @param tree ratchet_tree of RFC 9420 §12.4.3.3 */
  async join(room: string, welcome: Uint8Array, tree: Uint8Array): Promise<void> {
    const decoded = decodeMls(welcome, decodeWelcome)
    const ref = decoded.secrets.map(({ newMember }) => hexOf(newMember)).find((one) => this.#packages.has(one))
    const own = this.#packages.get(ref ?? '')
    if (!own || ref === undefined) throw new Error('This Welcome is for another client')
    const none = makePskIndex(undefined, {})
    const state = await joinGroup(decoded, own.public, own.private, none, this.impl, receivedTree(tree), undefined, clientConfig)
    this.#packages.delete(ref)
    this.groups.set(room, new MlsGroup(this.client, { ...state, ratchetTree: [...state.ratchetTree] }, this.impl))
  }

  /** A GroupInfoRequest (§5.6), and what opens the answer to it. */
  async askGroupInfo(joiningCode?: string): Promise<{ request: Uint8Array; open: (answer: GroupInfoResponse) => Promise<OpenGroupInfo> }> {
    const { hpke, signature } = this.impl
    const { privateKey, publicKey } = await hpke.generateKeyPair()
    const tbs = encodeGroupInfoTbs({
      suite: SUITE,
      signatureKey: this.keys.publicKey,
      credential: encodedBasic(this.client),
      hpkeKey: await hpke.exportPublicKey(publicKey),
      joiningCode: joiningCode === undefined ? undefined : Buffer.from(joiningCode),
    })
    const open = async ({ room, status, sealed }: GroupInfoResponse) => {
      if (!sealed) throw new Error(`No GroupInfo: ${status}`)
      const signed = await verifyWithLabel(sealed.hubKey, 'GroupInfoResponseTBS', sealed.tbs, sealed.signature, signature)
      if (!signed) throw new Error('The hub has not signed this GroupInfo')
      const label = 'GroupInfo and ratchet_tree encryption'
      const context = new Uint8Array(Buffer.from(room))
      const opened = await decryptWithLabel(privateKey, label, context, sealed.kemOutput, sealed.ciphertext, hpke)
      return decodeWhole(opened, readOpenGroupInfo)
    }
    return { request: bytes(tbs, opaque(await this.#sign('GroupInfoRequestTBS', tbs))), open }
  }

  /** An external Commit (§3.6). The group is entered with `enter`, once the hub has accepted it. */
  async joinExternally(room: string, { groupInfo, tree }: OpenGroupInfo): Promise<{ bundle: CommitBundle; enter: () => void }> {
    if (!tree) throw new Error('The GroupInfo came without a tree')
    const { impl } = this
    const own = await this.#makeKeyPackage()
    // external_pub is a vector (RFC 9420 §12.4.3.2); ts-mls reads it as the bare key.
    const importPublicKey: typeof impl.hpke.importPublicKey = (key) =>
      impl.hpke.importPublicKey(key.length === 33 && key[0] === 32 ? key.subarray(1) : key)
    const reading = { ...impl, hpke: { ...impl.hpke, importPublicKey } }
    const info = decodeMls(groupInfo, decodeGroupInfo)
    const joined = await joinGroupExternal(info, own.public, own.private, false, reading, receivedTree(tree), clientConfig)
    const state = { ...joined.newState, ratchetTree: [...joined.newState.ratchetTree] }
    const bundle: CommitBundle = {
      kind: 'commit',
      message: encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage: joined.publicMessage }),
      groupInfo: await groupInfoOf(state, impl),
      tree: encodeRatchetTree(state.ratchetTree),
    }
    return { bundle, enter: () => void this.groups.set(room, new MlsGroup(this.client, state, impl)) }
  }

  group(room: string): MlsGroup {
    const group = this.groups.get(room)
    if (!group) throw new Error(`${this.client} is not in ${room}`)
    return group
  }

  #sign(label: string, content: Uint8Array): Promise<Uint8Array> {
    return signWithLabel(this.keys.signKey, label, content, this.impl.signature)
  }
}

/** app_data_dictionary of draft-ietf-mls-extensions, which rooms with a participant list have (§7.5). */
export const APP_DATA_DICTIONARY = 0x0006

/**
 * A tree as it was received. ts-mls refuses valid ones, as it wants equal unmerged leaves in all ancestors of a leaf; its validation is the
 * first walk over `entries()`, which sees none here.
 */
class ReceivedTree extends Array<Node | undefined> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }
  #walked = false;

  override *entries(): ArrayIterator<[number, Node | undefined]> {
    const first = !this.#walked
    this.#walked = true
    for (let index = 0; index < this.length; index++) {
      const node = this[index]
      yield [index, first && node?.nodeType === 'parent' ? { ...node, parent: { ...node.parent, unmergedLeaves: [] } } : node]
    }
  }
}

function receivedTree(tree: Uint8Array): RatchetTree {
  const received = new ReceivedTree()
  received.push(...decodeMls(tree, decodeRatchetTree))
  return received
}
