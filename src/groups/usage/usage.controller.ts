import { Controller, Get, Inject } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { Pool } from 'pg'
import { z } from 'zod'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Amount, GroupId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { POOL } from '../../platform/postgres/sql.js'
import { GroupLimits } from '../limits/group-limits.js'
import { countKeptKeyPackages, readAccountStorage, readLargestOf } from './usage.repository.js'

const Quota = z.object({ used: Amount, allowed: z.int() })

export const Usage = z
  .object({
    submitted: Quota.meta({
      description: 'Bytes of messages, Commits, Proposals and new groups within a day, which begins with the first of them',
    }),
    storage: Quota.meta({ description: 'Bytes that the groups which this account has created keep' }),
    groups: Quota.meta({ description: 'Groups that this account has created, without those that were deleted' }),
    key_packages: Quota.meta({ description: 'KeyPackages that are kept for the active devices of the account' }),
    largest: z
      .array(z.object({ group_id: GroupId, room: z.string(), used: Amount, allowed: z.int() }))
      .meta({ description: 'The largest of these groups, in bytes; the largest first, 100 at most' }),
  })
  .meta({ id: 'Usage' })
export type Usage = z.infer<typeof Usage>

const LARGEST = 100

type Quotas = Pick<Config, 'ACCOUNT_MAX_BYTES' | 'ACCOUNT_MAX_GROUPS' | 'GROUP_MAX_BYTES' | 'KEY_PACKAGE_MAX_PER_DEVICE'>

@ApiTags('groups')
@Controller('v1/me/usage')
export class UsageController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Quotas,
    private readonly limits: GroupLimits,
  ) {}

  @Get()
  @Returns(Usage, { description: 'What is used and allowed.' })
  @ApiOperation({
    operationId: 'getUsage',
    summary: 'What this account uses of its quotas',
    description:
      'Bytes submitted and kept, groups, and KeyPackages. The creator of a group pays for it, no matter who posts there; that of a successor for the successor.',
  })
  async usage(@CurrentDevice() caller: Caller): Promise<Usage> {
    const { user, userId } = caller
    await this.limits.take(caller, 'reads')
    const { bytes, groups } = await readAccountStorage(this.pool, userId)
    const { keyPackages, devices } = await countKeptKeyPackages(this.pool, userId)
    const submitted = await this.limits.bytesOf(user)
    const largest = await readLargestOf(this.pool, userId, LARGEST)
    return {
      submitted: { used: BigInt(submitted.used), allowed: submitted.allowed },
      storage: { used: bytes, allowed: this.config.ACCOUNT_MAX_BYTES },
      groups: { used: groups, allowed: this.config.ACCOUNT_MAX_GROUPS },
      key_packages: { used: keyPackages, allowed: Number(devices) * this.config.KEY_PACKAGE_MAX_PER_DEVICE },
      largest: largest.map(({ groupId, room, bytes: used }) => ({ group_id: groupId, room, used, allowed: this.config.GROUP_MAX_BYTES })),
    }
  }
}
