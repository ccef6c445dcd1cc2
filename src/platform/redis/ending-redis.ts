import { Redis, type RedisOptions } from 'ioredis'

const RETRY_MS = 1_000

/** A connection that ends when it is ended, and only then. */
export class EndingRedis extends Redis {
  private told = false

  constructor(options: RedisOptions & { replyMapping?: 'legacy' }) {
    super(options)
    // News of a failover that come while the sentinels are being asked for the master end an ioredis connection for good.
    this.on('end', () => {
      if (!this.told) setTimeout(() => void this.comeBack(), RETRY_MS).unref()
    })
  }

  /**
   * Between two attempts to reconnect ioredis would stay `reconnecting` forever: a caller that waits for `end`, or for a command
   * that waits for Redis (as BullMQ does in closing), is never answered. In `wait`, before a first attempt, it does end.
   */
  override disconnect(reconnect = false): void {
    this.told = !reconnect
    if (this.status === 'reconnecting' && !reconnect) this.status = 'wait'
    super.disconnect(reconnect)
  }

  override connect(): Promise<void> {
    this.told = false
    return super.connect()
  }

  override quit(): Promise<'OK'> {
    this.told = true
    return super.quit()
  }

  override duplicate(override?: Partial<RedisOptions>): Redis {
    // The one option that the constructor's types do not take from its own options; nobody sets it.
    const { replyMapping: _unset, ...options } = { ...this.options, ...override }
    return new EndingRedis(options)
  }

  private async comeBack(): Promise<void> {
    // It failed again: that is another `end`.
    if (!this.told && this.status === 'end') await this.connect().catch(() => undefined)
  }
}
