import { z } from 'zod'
import type { ProblemTypes } from '../../platform/http/problem-types.js'
import type { DescribedLimit } from '../../platform/limits/described-limit.js'
import { Problem } from '../../platform/http/problem.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { readStorage } from './usage.repository.js'

/** Commits and Proposals may take a quarter more than messages: of a full group members can still be removed. */
export const handshakeLimit = (groupBytes: number): number => Math.floor(groupBytes * 1.25)

const REFUSAL = '413 `storage-full` with what is used and allowed'

/** Rows of docs/limits.md. */
export const STORAGE_LIMITS: readonly DescribedLimit[] = [
  {
    name: 'group-storage',
    holder: 'group',
    what: 'bytes that a group keeps; Commits and proposals may take a quarter more',
    setting: 'GROUP_MAX_BYTES',
    refusal: REFUSAL,
  },
  {
    name: 'account-storage',
    holder: 'account',
    what: 'bytes that the groups of an account keep',
    setting: 'ACCOUNT_MAX_BYTES',
    refusal: REFUSAL,
  },
  {
    name: 'account-groups',
    holder: 'account',
    what: 'groups that an account has created',
    setting: 'ACCOUNT_MAX_GROUPS',
    refusal: REFUSAL,
  },
]

const DETAILS = {
  group: 'The group keeps as much as it may.',
  account: 'The groups of the account that created this one keep as much as they may.',
  groups: 'This account has created as many groups as it may.',
}
export type FullStorage = keyof typeof DETAILS
const LIMIT_OF: Record<FullStorage, string> = { group: 'group-storage', account: 'account-storage', groups: 'account-groups' }

/** The log, or an account, has no room for what was sent. */
export class StorageFull extends Problem {
  /** @param quota bytes, or groups; only for those who may know what the account of another keeps */
  constructor(of: FullStorage, quota?: { used: bigint; allowed: number }) {
    super(413, 'storage-full', DETAILS[of], { of, ...quota })
    this.limit = LIMIT_OF[of]
  }
}

/** The refusal of what was sent to a group. Nobody else learns what an account keeps in its other groups. */
export async function storageFull(
  sql: Sql,
  { gid, deviceId }: { gid: bigint; deviceId: bigint | null },
  of: 'group' | 'account',
  allowed: number,
): Promise<StorageFull> {
  const storage = await readStorage(sql, gid, deviceId)
  if (!storage) return new StorageFull(of)
  if (of === 'group') return new StorageFull(of, { used: storage.bytes, allowed })
  return storage.own ? new StorageFull(of, { used: storage.accountBytes, allowed }) : new StorageFull(of)
}

export const STORAGE_PROBLEMS: ProblemTypes = {
  'storage-full': {
    status: 413,
    when: 'The group, or the groups of the account that created it, keep as much as they may.',
    client: 'Delete groups, or start a new one; what all have read goes after a day. `GET /v1/me/usage` shows what an account keeps.',
    retry: 'redo',
    members: {
      of: z
        .enum(['group', 'account', 'groups'])
        .meta({ description: 'What is full: the group, its creator’s groups in bytes, or in number' }),
      used: z.int().nonnegative().optional().meta({ description: 'Bytes, or groups; of an account only for itself' }),
      allowed: z.int().positive().optional(),
    },
  },
}
