import { Injectable } from '@nestjs/common'
import { RateLimited } from '../../platform/http/problem.js'
import { numberOf, type DescribedLimit } from '../../platform/limits/described-limit.js'
import { Metrics } from '../../platform/observability/metrics.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { isRecoverySigner, type Certified, type DeviceList } from '../../protocol/identity/device-list.js'
import { changeOfList } from './list-change.js'
import { readAges } from './pending/pending-changes.repository.js'

/** Row of docs/limits.md. */
export const DEVICE_LIST_CERTIFICATES = {
  name: 'device-list-certificates',
  holder: 'account',
  what: 'certificates that come into its device list per day, but for those by recovery signers; what is refused or waits does not count',
  value: 50,
  refusal: '429 with Retry-After',
} as const satisfies DescribedLimit

const DAY_MS = 86_400_000

/**
 * How many certificates a day devices add to a list, so that a stolen one does not use the list up before its user has had time to revoke it
 * (docs/identity.md §2). They are counted where they are stored, by the server's clock.
 */
@Injectable()
export class DailyCertificates {
  constructor(private readonly metrics: Metrics) {}

  /** Call it with the account's lock held, before the change is written. @throws RateLimited */
  async requireLeft(sql: Sql, accountId: bigint, before: DeviceList, after: DeviceList): Promise<void> {
    const counts = ({ signer, certifiedAt }: Certified) => !isRecoverySigner(after, signer, certifiedAt)
    const wanted = changeOfList(before, after).added.filter(counts).length
    if (wanted === 0) return
    const ages = await readAges(sql, accountId, after.identity)
    const dayAgo = Date.now() - DAY_MS
    const taken = [...before.certificates.values()].filter(counts).map(({ number }) => ages.get(number)?.getTime() ?? 0)
    const recent = taken.filter((time) => time > dayAgo).toSorted((a, b) => a - b)
    const allowed = numberOf(DEVICE_LIST_CERTIFICATES)
    const excess = recent.length + wanted - allowed
    if (excess <= 0) return
    this.metrics.limitsRefused.inc({ limit: DEVICE_LIST_CERTIFICATES.name })
    // So many have to be a day old; of what is more than a whole day allows, never enough are.
    const last = recent[excess - 1] ?? Date.now()
    throw new RateLimited((last - dayAgo) / 1000, { used: recent.length, allowed })
  }
}
