import type { Caller } from '../../authentication/session/caller.js'
import type { Interest } from '../interest.js'

/** Why a wait ended. `over`: timeout, client gone, session ended, server shutting down, or replaced by a newer poll of the device. */
export type WakeReason = 'news' | 'revoked' | 'over'

/** One long poll. News that arrives after `watch` and before `wait` is not lost: it ends the next `wait` at once. */
export class Waiter {
  private readonly unsubscribers: (() => void)[] = []
  private readonly watched = new Set<bigint>()
  private reason: WakeReason | undefined
  private resolve: (() => void) | undefined

  constructor(
    private readonly interest: Interest,
    { deviceId, generation }: Pick<Caller, 'deviceId' | 'generation'>,
  ) {
    this.unsubscribers.push(
      interest.watchDevice(deviceId, (news) => {
        if (news.kind === 'revoked') this.wake('revoked')
        else if (news.kind === 'session-ended' || (news.kind === 'swept' && news.generation > generation)) this.wake('over')
        else if (news.kind === 'inbox' || news.kind === 'memberships' || (news.kind === 'swept' && news.inboxIds.length > 0))
          this.wake('news')
      }),
    )
  }

  /** Clears earlier news. Call it right before reading. */
  clearNews(): void {
    if (this.reason === 'news') this.reason = undefined
  }

  /** @param readUpTo the head seq up to which the caller has read this group; 0 if not yet */
  watch(gid: bigint, readUpTo: () => bigint): void {
    if (this.watched.has(gid)) return
    this.watched.add(gid)
    this.unsubscribers.push(
      this.interest.watchGroup(gid, ({ headSeq }) => {
        if (headSeq > readUpTo()) this.wake('news')
      }),
    )
  }

  wake(reason: WakeReason): void {
    if (this.reason === undefined || this.reason === 'news') this.reason = reason
    this.resolve?.()
  }

  async wait(ms: number): Promise<WakeReason> {
    if (this.reason === undefined) {
      const timer = setTimeout(() => this.wake('over'), ms)
      await new Promise<void>((resolve) => {
        this.resolve = resolve
      })
      clearTimeout(timer)
    }
    this.resolve = undefined
    return this.reason ?? 'over'
  }

  stop(): void {
    for (const unsubscribe of this.unsubscribers.splice(0)) unsubscribe()
  }
}
