import { decode, encode } from 'cborg'
import { decodeGroupState, encodeGroupState } from 'ts-mls'
import { decodeKeyPackage, encodeKeyPackage, type KeyPackage, type PrivateKeyPackage } from 'ts-mls/keyPackage.js'
import type { ClientState } from 'ts-mls'
import type { Pin } from './identity/identities.js'
import type { DeviceListUpdate } from './identity/structures.js'
import type { SignedEnrolment } from './identity/enrolment.js'
import type { OutsideJoin } from './identity/external-joiner.js'
import type { RefusalReason } from './identity/refused.js'
import { clientConfig } from './mls/suites.js'
import type { ProofKey } from './possession.js'
import { toHex } from './wire.js'

export type Mode = 'public' | 'private'

/** What goes to the server with one Commit. */
export interface CommitBundle {
  commit: Uint8Array
  welcomes?: Uint8Array[]
  group_info?: Uint8Array
  ratchet_tree?: Uint8Array
  removed?: string[]
  let_go?: string[]
  reinit?: boolean
  successor?: Uint8Array
  join_code?: string
}

/** A Commit that was sent, with the state it leads to if it wins. Until then the group stays where it is. */
export interface PendingCommit {
  bundle: CommitBundle
  hash: string
  next: ClientState
}

/** A leaf that has come and has not passed yet. */
export interface NewLeaf {
  leafIndex: number
  client: string
  /** It came by its own Commit. */
  outside?: OutsideJoin
}

/** A leaf of the tree that its user's device list does not certify. */
export interface FailingLeaf {
  leafIndex: number
  client: string
  reason: RefusalReason
  rule?: string
}

export interface ChatMessage {
  seq: number
  epoch: number
  /** Client URI of the device whose signature the message carries. */
  from: string
  text: string
  /** It came while the group had a leaf in quarantine, or by one whose X.509 credential fails. */
  unverified?: true
}

export interface GroupRecord {
  /** As this server addresses the group; in MLS it has the id of its state's GroupContext, which is almost always the same. */
  groupId: Uint8Array
  mode: Mode
  suite: number
  incarnation: number
  /** Seq of the Commit that brought this device in; 0 for the creator. */
  joinedAt: number
  /** Everything in the log up to here is done with. */
  cursor: number
  state: ClientState
  standing: 'member' | 'removed' | 'stuck' | 'deleted'
  /** Whether others may join by GroupInfo, so that each Commit has to bring a new one. */
  externalJoin: boolean
  /** Private mode: clients that the server says are to go, until a Commit removes them. */
  leaving?: string[]
  /** Why the group takes no more entries, if it does not, and which group has taken its place. */
  frozen?: 'reinit' | 'reset' | undefined
  successor?: Uint8Array | undefined
  pending?: PendingCommit
  /** ProposalRefs, in base64, of what the server says no Commit of this epoch may carry out. */
  voided?: string[]
  /** SHA-256 of what this device sent and has not yet met in the log: nobody can decrypt their own message. */
  sent: Map<string, string>
  messages: ChatMessage[]
  /** That new leaves need certificates here; once so, always so. */
  certified: boolean
  /** Leaves of the present tree that fail: while there is one, nothing is sent. */
  quarantine: FailingLeaf[]
  /** In a group with `identities: any`: leaves whose X.509 credential fails. Their messages are shown as not verified. */
  unverified?: FailingLeaf[]
  /** Until they pass they count as new. */
  newLeaves: NewLeaf[]
  /** Who may come in by its own Commit. A server's word alone does not make it `others` (policy.ts). */
  joiners: 'same-user' | 'others'
  /** Devices that members of other users have put out: they come back by a member's Add alone. */
  putOut: string[]
  /** Private mode: devices of which the server has said that they want to leave. */
  wishing: string[]
  /** What could not be processed: a report to the server names the seq. */
  failures: { seq: number; reason: string }[]
}

export interface StoredKeyPackage {
  ref: string
  suite: number
  public: KeyPackage
  private: PrivateKeyPackage
  lastResort: boolean
}

export interface DeviceRecord {
  client: string
  user: string
  /** By cipher suite. */
  keys: Map<number, { publicKey: Uint8Array; signKey: Uint8Array }>
  keyPackages: Map<string, StoredKeyPackage>
  refreshToken?: Uint8Array
  /** Whether its user has an identity key (docs/identity.md): else it is a client of the old kind, which believes the server. */
  certified: boolean
  /** The device lists that it has verified, by user; its own user's too. */
  pins: Map<string, Pin>
  /** Entries that it has signed and not yet brought to the server. */
  signed?: DeviceListUpdate
  /** The same of an entry that goes with a new device. */
  enrolling?: SignedEnrolment
  /** Whether its leaves have X.509 credentials. */
  x509?: boolean
  /** What the sessions of the device are bound to. */
  proofKey?: ProofKey
}

/** All that a device must keep. In memory here; `export` and `import` are what a disk would do, and what a crash is tested with. */
export class Store {
  readonly groups = new Map<string, GroupRecord>()
  constructor(readonly device: DeviceRecord) {}

  group(groupId: Uint8Array): GroupRecord | undefined {
    return this.groups.get(toHex(groupId))
  }

  /** Groups of two providers may have one id in MLS. */
  groupsInMls(mlsGroupId: Uint8Array): GroupRecord[] {
    return [...this.groups.values()].filter(({ state }) => toHex(state.groupContext.groupId) === toHex(mlsGroupId))
  }

  /** A Welcome names the group before by its id in MLS: if there are several, the server says which one it is. */
  formerInMls(mlsGroupId: Uint8Array, address?: Uint8Array): GroupRecord | undefined {
    const found = this.groupsInMls(mlsGroupId)
    return found.find(({ groupId }) => address !== undefined && toHex(groupId) === toHex(address)) ?? found[0]
  }

  put(record: GroupRecord): GroupRecord {
    this.groups.set(toHex(record.groupId), record)
    return record
  }

  export(): Uint8Array {
    const { keys, keyPackages, pins, ...device } = this.device
    return encode({
      device: { ...device, keys: [...keys], pins: [...pins.values()], keyPackages: [...keyPackages.values()].map(keyPackageOut) },
      groups: [...this.groups.values()].map(groupOut),
    })
  }

  static import(bytes: Uint8Array): Store {
    const { device, groups } = decode(bytes) as { device: DeviceOut; groups: GroupOut[] }
    const keyPackages = device.keyPackages.map(keyPackageIn).map((stored) => [stored.ref, stored] as const)
    const store = new Store({
      ...device,
      keys: new Map(device.keys),
      keyPackages: new Map(keyPackages),
      pins: new Map(device.pins.map((pin) => [pin.user, pin])),
    })
    for (const group of groups) store.put(groupIn(group))
    return store
  }
}

type DeviceOut = Omit<DeviceRecord, 'keys' | 'keyPackages' | 'pins'> & {
  pins: Pin[]
  keys: [number, { publicKey: Uint8Array; signKey: Uint8Array }][]
  keyPackages: ReturnType<typeof keyPackageOut>[]
}
type GroupOut = ReturnType<typeof groupOut>

function keyPackageOut(stored: StoredKeyPackage) {
  return { ...stored, public: encodeKeyPackage(stored.public) }
}
function keyPackageIn(out: ReturnType<typeof keyPackageOut>): StoredKeyPackage {
  const decoded = decodeKeyPackage(out.public, 0)
  if (!decoded) throw new Error('A stored KeyPackage does not decode')
  return { ...out, public: decoded[0] }
}

function groupOut(record: GroupRecord) {
  const { state, sent, pending, ...plain } = record
  return {
    ...plain,
    state: encodeGroupState(state),
    sent: [...sent],
    ...(pending ? { pending: { ...pending, next: encodeGroupState(pending.next) } } : {}),
  }
}
function groupIn(out: GroupOut): GroupRecord {
  const { state, sent, pending, ...plain } = out
  return {
    // A release before did not have these.
    ...{ newLeaves: [], joiners: 'same-user', putOut: [], wishing: [] },
    ...plain,
    state: stateIn(state),
    sent: new Map(sent),
    ...(pending ? { pending: { ...pending, next: stateIn(pending.next) } } : {}),
  }
}
function stateIn(bytes: Uint8Array): ClientState {
  const decoded = decodeGroupState(bytes, 0)
  if (!decoded) throw new Error('A stored group state does not decode')
  return { ...decoded[0], clientConfig }
}
