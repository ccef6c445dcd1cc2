import { Controller, Delete, Get, HttpCode, Inject, Param, Put, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { Pool } from 'pg'
import { z } from 'zod'
import { UserUri } from '../../authentication/identifiers.dto.js'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { CountText, UnixSeconds } from '../../platform/http/bytes.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsNothing } from '../../platform/http/returns.js'
import { POOL } from '../../platform/postgres/sql.js'
import { TooManyBlocks } from '../groups.problems.js'
import { GroupLimits } from '../limits/group-limits.js'
import { ByUser, userOf, UserReference } from '../policy/uris.js'
import { block, blockedBy, unblock } from './blocks.repository.js'

const MOST = 10_000

const ListBlocks = z.strictObject({
  after: UserUri.optional().meta({ description: 'The `next` of the page before' }),
  limit: CountText(1, 1_000).default(500),
})
type ListBlocks = z.infer<typeof ListBlocks>

const BlockList = z
  .object({
    blocks: z.array(z.object({ user: UserUri, since: UnixSeconds })),
    next: z.string().optional().meta({ description: 'There may be more: ask again with this as `after`' }),
  })
  .meta({ id: 'BlockList' })
type BlockList = z.output<typeof BlockList>

/** Users of any provider with whom a user wants nothing to do. Only this server knows. */
@ApiTags('accounts')
@Controller('v1/blocks')
export class BlocksController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly limits: GroupLimits,
  ) {}

  @Get()
  @Returns(BlockList, { description: 'A page of users, by name.' })
  @ApiOperation({
    operationId: 'listBlocks',
    summary: 'Whom this user has blocked',
    description: 'Nobody else sees it. Continue with `after` = `next`.',
  })
  async list(@CurrentDevice() caller: Caller, @Query({ schema: ListBlocks }) { after, limit }: ListBlocks): Promise<BlockList> {
    const blocks = await blockedBy(this.pool, caller.user, after ?? '', limit)
    const last = blocks.length === limit ? blocks.at(-1) : undefined
    return { blocks, ...(last ? { next: last.user } : {}) }
  }

  @Put(':user')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'blockUser',
    summary: 'Block a user of any provider',
    description:
      'For all devices of this user. The blocked user is given no KeyPackages, adds no device of this user to a group, shows no request for ' +
      'consent and does not find this user by name; it gets the answers of one who has no consent. Groups in which both are stay as they are: ' +
      'leave, mute or block those. Behind a proxy that decodes `%2F`, use blockUserByQuery.',
  })
  @Refuses('too-many-blocks')
  @ReturnsNothing('The user is blocked, if there is such a user. Repeating the request is harmless.')
  async block(@CurrentDevice() caller: Caller, @Param('user', { schema: UserReference }) user: string): Promise<void> {
    const blocked = await this.other(caller, user)
    if (!(await block(this.pool, caller.user, blocked, MOST))) throw new TooManyBlocks(MOST)
  }

  @Delete(':user')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'unblockUser',
    summary: 'Take a block back',
    description: 'Requests for consent that came meanwhile are shown then. Behind a proxy that decodes `%2F`, use unblockUserByQuery.',
  })
  @ReturnsNothing('The user is not blocked.')
  async unblock(@CurrentDevice() caller: Caller, @Param('user', { schema: UserReference }) user: string): Promise<void> {
    await unblock(this.pool, caller.user, await this.other(caller, user))
  }

  @Put()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'blockUserByQuery',
    summary: 'Block a user who is named in the query',
    description: 'As blockUser, and through every proxy: the slashes in the name of another provider’s user are not in the path.',
  })
  @Refuses('too-many-blocks')
  @ReturnsNothing('The user is blocked, if there is such a user. Repeating the request is harmless.')
  blockByQuery(@CurrentDevice() caller: Caller, @Query({ schema: ByUser }) { user }: ByUser) {
    return this.block(caller, user)
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'unblockUserByQuery',
    summary: 'Take a block back; the user is named in the query',
    description: 'As unblockUser, and through every proxy.',
  })
  @ReturnsNothing('The user is not blocked.')
  unblockByQuery(@CurrentDevice() caller: Caller, @Query({ schema: ByUser }) { user }: ByUser) {
    return this.unblock(caller, user)
  }

  /** The URI; each of these calls counts. */
  private async other(caller: Caller, reference: string): Promise<string> {
    const user = userOf(this.config.DOMAIN, reference)
    if (user === caller.user) throw new InvalidRequest('Nobody blocks oneself.')
    await this.limits.take(caller, 'choices')
    return user
  }
}
