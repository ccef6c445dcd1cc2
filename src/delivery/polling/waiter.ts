import type { Caller } from '../../authentication/session/caller.js'
import type { Interest } from '../interest.js'

/** Why a wait ended. `over`: the time is up, the client is gone, or somebody else waits in its place. */
export type Woken = 'news' | 'revoked' | 'over'

/** One long poll that waits for news of a device and its groups. Nothing is missed from the moment it watches. */
export class Waiter {
  private readonly stops: (() => void)[] = []
  private readonly watched = new Set<bigint>()
  private state: Woken | undefined
  private resolve: (() => void) | undefined

  constructor(
    private readonly interest: Interest,
    { deviceId, generation }: Pick<Caller, 'deviceId' | 'generation'>,
  ) {
    this.stops.push(
      interest.watchDevice(deviceId, (news) => {
        if (news.kind === 'revoked') this.wake('revoked')
        else if (news.kind === 'session-ended' || (news.kind === 'swept' && news.generation > generation)) this.wake('over')
        else if (news.kind === 'inbox' || news.kind === 'memberships' || (news.kind === 'swept' && news.inboxIds.length > 0))
          this.wake('news')
      }),
    )
  }

  /** Forgets news so far: anyone who asks is about to read. */
  begin(): void {
    if (this.state === 'news') this.state = undefined
  }

  /** @param known how far this group's log was when it was read; 0 for what is yet to be read */
  watch(gid: bigint, known: () => bigint): void {
    if (this.watched.has(gid)) return
    this.watched.add(gid)
    this.stops.push(
      this.interest.watchGroup(gid, ({ headSeq }) => {
        if (headSeq > known()) this.wake('news')
      }),
    )
  }

  wake(why: Woken): void {
    if (this.state === undefined || this.state === 'news') this.state = why
    this.resolve?.()
  }

  async wait(ms: number): Promise<Woken> {
    if (this.state === undefined) {
      const timer = setTimeout(() => this.wake('over'), ms)
      await new Promise<void>((resolve) => {
        this.resolve = resolve
      })
      clearTimeout(timer)
    }
    this.resolve = undefined
    return this.state ?? 'over'
  }

  stop(): void {
    for (const stop of this.stops.splice(0)) stop()
  }
}
