import { INBOUND_LIMITS } from '../../federation/inbound/inbound-gate.js'
import { DRAFT_CONNECTIONS } from '../../federation/draft/draft-connections.js'
import { ARRIVAL_LIMITS } from '../../federation/follower/arrival/waits.js'
import { FIRST_LOOK_LIMITS } from '../../federation/peers/first-looks.js'
import { PEER_QUOTA_SETTINGS, PEER_QUOTAS } from '../../federation/quotas/quotas.limits.js'
import { FOREIGN_LIMITS } from '../../federation/hub/foreign-user-records.js'
import { TOKEN_LIMITS } from '../../tokens/issue/tokens.limits.js'
import { WORKER_LIMITS } from '../../platform/workers/worker-time.js'
import { OPERATIONS_LIMITS } from '../operations/operations.limits.js'
import { ADMISSION_LIMITS } from '../../platform/admission/admission-limits.js'
import { ConfigError } from '../../platform/config/config.js'
import { STATEMENT_DEADLINE_LIMIT } from '../../platform/postgres/client/postgres-target.js'
import { CHANGES_WAITING } from '../../platform/postgres/row-queues.js'
import { STORAGE_LIMITS } from '../../groups/usage/storage-full.js'
import { STREAM_LIMITS, STREAM_OPENINGS, STREAM_READS } from '../../delivery/socket/stream-limits.js'
import { changeLimits, type DescribedLimit } from '../../platform/limits/described-limit.js'
import { DEVICE_LIST_BYTES } from '../../authentication/device-list/write-entries.js'
import { FOREIGN_LIST_BYTES } from '../../federation/device-lists/list-copies.js'
import { FIRST_USES_REMEMBERED } from '../../platform/limits/first-uses.js'
import { RATE_LIMITS } from './rate-limits.js'

const MAX_STREAMS: DescribedLimit = {
  name: 'process-streams',
  holder: 'process',
  what: 'open streams',
  setting: 'MAX_STREAMS',
  refusal: '503 with Retry-After to the upgrade',
}

/** Every limit, in the order of docs/limits.md. */
export const ALL_LIMITS: readonly DescribedLimit[] = [
  ...ADMISSION_LIMITS,
  ...Object.values(OPERATIONS_LIMITS),
  ...INBOUND_LIMITS,
  ...FIRST_LOOK_LIMITS,
  ...Object.values(ARRIVAL_LIMITS),
  ...Object.values(DRAFT_CONNECTIONS),
  FIRST_USES_REMEMBERED,
  ...TOKEN_LIMITS,
  ...WORKER_LIMITS,
  STATEMENT_DEADLINE_LIMIT,
  CHANGES_WAITING,
  STREAM_READS,
  ...STREAM_LIMITS,
  STREAM_OPENINGS,
  MAX_STREAMS,
  ...RATE_LIMITS,
  ...STORAGE_LIMITS,
  DEVICE_LIST_BYTES,
  FOREIGN_LIST_BYTES,
  ...Object.values(FOREIGN_LIMITS),
  ...PEER_QUOTA_SETTINGS,
  ...Object.values(PEER_QUOTAS),
]

/** Applies the overrides of LIMITS. @throws ConfigError if a name is unknown, fixed, or has its own setting */
export function overrideLimits(numbers: ReadonlyMap<string, number> = new Map()): void {
  const errors = [...numbers.keys()].flatMap((name) => {
    const limit = ALL_LIMITS.find((row) => row.name === name)
    if (!limit) return [`LIMITS names ${name}, which does not exist: see docs/limits.md.`]
    if (limit.setting !== undefined) return [`LIMITS names ${name}, which has its own setting: ${limit.setting}.`]
    return limit.fixed ? [`LIMITS names ${name}, which cannot be changed.`] : []
  })
  if (errors.length > 0) throw new ConfigError(errors)
  changeLimits(numbers)
}
