import { createHash } from 'node:crypto'
import type { Sql } from '../../src/platform/postgres/sql.js'
import { SIZES } from './plan-database.js'

/** Hashes like the filling of the database does. */
export const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
export const several = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index + 1))

export const BIG = 1n
export const EPOCH = BigInt(SIZES.bigGroup / 100)
export const HEAD = BigInt(SIZES.bigGroup)
export const LIMITS = { entries: 100, bytes: 100_000 }
export const user = (id: number) => `mimi://localhost/u/${id}`

export const message = (text: string) => ({ hash: hash(text), bytes: Buffer.from(text) })
export const commit = {
  domain: 'localhost',
  usedRefs: [hash('claim 1 1')],
  freshRefs: [hash('claim 1 1')],
  freshDevices: [1n],
  gid: BIG,
  incarnation: 1,
  deviceId: 1n,
  userId: 1n,
  external: false,
  policyVersion: 1n,
  epoch: EPOCH,
  ...message('commit'),
  added: [{ deviceId: 9_998n, welcome: 0 }],
  removed: [{ deviceId: 5n, reason: 'removed' as const }],
  welcomes: [{ bytes: Buffer.alloc(9), expiresAt: new Date(Date.now() + 1_000_000) }],
  groupInfo: Buffer.alloc(9),
  tree: null,
  claimedRemoved: null,
  reinit: false,
  certificates: [{ deviceId: 9_998n, number: 3, ended: null }],
  followups: [{ deviceId: 7n, ...message('remove') }],
  unsigned: [],
}
export const newGroup = {
  groupId: hash('a new group'),
  mode: 'public' as const,
  cipherSuite: 1,
  epoch: 0n,
  deviceId: 1n,
  userId: 1n,
  roomId: 'mimi://localhost/r/new',
  groupInfo: Buffer.alloc(9),
  tree: null,
  snapshot: Buffer.alloc(9),
  successorOf: null,
  externalJoin: 'same-user' as const,
  joinCodeHash: null,
  addMembers: 'members' as const,
  removeMembers: 'members' as const,
  reportsToReset: 2,
  identities: 'any' as const,
  branchOf: null,
  added: [],
  welcomes: [],
  usedRefs: [],
}
export const keyPackage = {
  cipherSuite: 1,
  lastResort: false,
  expiresAt: new Date(Date.now() + 1_000_000),
  ref: hash('a new ref'),
  signatureKey: hash('key 1 1'),
  extensions: [],
  proposals: [],
  credentials: [1],
  bytes: Buffer.alloc(9),
  certificate: undefined,
}
export const batch = { issuer: 'localhost', keyId: hash('issuer 1'), holder: user(1), requestHash: hash('a request'), tokens: 1 }
export const sealed = { senderKey: hash('2'), issuerKey: 1, nonce: hash('a nonce') }

/** A device that is a member of a group. */
export async function aMember(sql: Sql, gid: bigint): Promise<bigint> {
  const { rows } = await sql.query<{ id: bigint }>({
    text: 'SELECT device_id AS id FROM member WHERE gid = $1 AND until_seq IS NULL LIMIT 1',
    values: [gid],
  })
  return rows[0]?.id ?? 0n
}
