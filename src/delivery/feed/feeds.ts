import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { LOG } from '../../platform/observability/log.js'
import { POOL } from '../../platform/postgres/sql.js'
import { DeliveryMetrics } from '../delivery.metrics.js'
import { Interest } from '../interest.js'
import { Feed } from './feed.js'

/** Large enough that a read is worth its round trip, small enough that other groups get their turn. */
const PAGE = { entries: 64, bytes: 256 * 1024 }

interface Followed {
  feed: Feed
  followers: number
  stop: () => void
}

/** One feed per group that somebody on this node follows. */
@Injectable()
export class Feeds {
  private readonly feeds = new Map<bigint, Followed>()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly interest: Interest,
    private readonly metrics: DeliveryMetrics,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** From here on no hint of the group is missed, so follow before reading. Each call needs one `unfollow`. */
  follow(gid: bigint): Feed {
    const followed = this.feeds.get(gid) ?? this.start(gid)
    followed.followers += 1
    return followed.feed
  }

  unfollow(gid: bigint): void {
    const followed = this.feeds.get(gid)
    if (!followed || --followed.followers > 0) return
    followed.stop()
    this.feeds.delete(gid)
  }

  private start(gid: bigint): Followed {
    const feed = new Feed(gid, this.pool, PAGE, this.metrics, this.log)
    const stop = this.interest.watchGroup(gid, (news) => feed.onNews(news))
    const followed = { feed, followers: 0, stop }
    this.feeds.set(gid, followed)
    return followed
  }
}
