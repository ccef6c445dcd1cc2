import { createHash, randomBytes } from 'node:crypto'
import type { AppendItem } from '../../src/delivery/append/append.repository.js'
import { createGroup, type NewGroup } from '../../src/groups/repository/groups.repository.js'
import type { CommitSubmission } from '../../src/groups/repository/submissions.repository.js'
import type { Sql } from '../../src/platform/postgres/sql.js'

export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** A public group at epoch 0, as `creator` asks for it. */
export function newGroupOf(creator: bigint): NewGroup {
  const groupId = randomBytes(16)
  return {
    groupId,
    mode: 'public',
    cipherSuite: 1,
    epoch: 0n,
    deviceId: creator,
    userId: creator,
    roomId: groupId.toString('hex'),
    groupInfo: randomBytes(64),
    tree: null,
    snapshot: randomBytes(64),
    successorOf: null,
    branchOf: null,
    added: [],
    welcomes: [],
    usedRefs: [],
    externalJoin: 'same-user',
    joinCodeHash: null,
    addMembers: 'members',
    removeMembers: 'members',
    reportsToReset: 3,
    identities: 'any',
  }
}

/** Such a group, with `creator` its only member. */
export async function newGroup(sql: Sql, creator: bigint): Promise<{ gid: bigint; groupId: Uint8Array }> {
  const asked = newGroupOf(creator)
  const made = await createGroup(sql, asked)
  if (made.kind !== 'accepted') throw new Error(made.kind)
  return { gid: made.gid, groupId: asked.groupId }
}

/** Random bytes stand for a Commit: ordering never looks inside. */
export function commitOf(gid: bigint, deviceId: bigint, epoch: bigint, changes: Partial<CommitSubmission> = {}): CommitSubmission {
  const bytes = randomBytes(200)
  return {
    domain: 'localhost',
    usedRefs: [],
    freshRefs: [],
    freshDevices: null,
    gid,
    incarnation: 1,
    deviceId,
    userId: deviceId,
    external: false,
    policyVersion: 1n,
    epoch,
    hash: sha256(bytes),
    bytes,
    added: [],
    removed: [],
    certificates: [],
    welcomes: [],
    groupInfo: null,
    tree: null,
    claimedRemoved: null,
    reinit: false,
    followups: [],
    unsigned: [],
    ...changes,
  }
}

export function messageOf(gid: bigint, deviceId: bigint, epoch: bigint, bytes: Buffer = randomBytes(64)): AppendItem {
  return { gid, deviceId, epoch, hash: sha256(bytes), bytes }
}
