import { Inject, Injectable } from '@nestjs/common'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Limits, type Limit } from '../../platform/limits/limits.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { CALL_RATES, peerRate, SHARED_RATES, type CallRate, type GroupRate, type SharedRate } from './group-rates.js'

type Asking = Pick<Caller, 'deviceId' | 'user'>

/**
 * Counts calls about groups. A user of another provider counts for that provider as well. What is counted for all (a group, a device that is
 * added) is taken last: who is beyond their own limit uses up nothing of it.
 */
@Injectable()
export class GroupLimits {
  constructor(
    private readonly limits: Limits,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * @param points by how much it counts
   * @param part what of the caller's it is counted for, where that is not all
   * @throws RateLimited
   */
  async take(caller: Asking, call: CallRate, points = 1, part = ''): Promise<void> {
    for (const [limit, key] of this.countersOf(caller, call, part)) await this.limits.take(limit, key, points)
  }

  /**
   * A call that brings bytes to be stored. Both are counted at once: one wait for Redis.
   * @throws RateLimited; then none of the bytes count
   */
  async takeWith(caller: Asking, call: CallRate, bytes: number): Promise<void> {
    if (bytes === 0) return this.take(caller, call)
    const [called, stored] = await Promise.allSettled([this.take(caller, call), this.take(caller, 'bytes', bytes)])
    if (called.status === 'rejected' && stored.status === 'fulfilled') await this.giveBack(caller, 'bytes', bytes)
    for (const one of [called, stored]) if (one.status === 'rejected') throw one.reason
  }

  /** @param id of the group or device. @throws RateLimited */
  private takeOf(id: bigint | string, what: SharedRate): Promise<void> {
    return this.limits.take(this.limit(SHARED_RATES[what]), String(id))
  }

  /**
   * A Commit that was judged and is about to be written, and the devices of others that its committer puts in. What admins commit counts by
   * itself, so that members leave them enough to remove those members.
   * @returns to be called if it is not accepted after all: what is refused uses up nothing
   * @throws RateLimited
   */
  async commit(caller: Asking, { gid, admin }: { gid: bigint; admin: boolean }, putIn: readonly bigint[]): Promise<() => Promise<void>> {
    const counter = admin ? `${gid} admins` : String(gid)
    await this.takeOf(counter, 'commits')
    const undo = () => this.limits.giveBack(this.limit(SHARED_RATES.commits), counter)
    const notAdded = await this.additions(caller, putIn).catch(async (error: unknown) => {
      await undo()
      throw error
    })
    return async () => void (await Promise.all([undo(), notAdded()]))
  }

  /** Bytes that the account has submitted today, and may. */
  bytesOf(user: string): Promise<{ used: number; allowed: number }> {
    return this.limits.used(this.limit(CALL_RATES.bytes), user)
  }

  /**
   * A wrong join code counts for who shows it, and for the group. A right one counts as well until it is found to be right, so that
   * guesses that arrive together do not pass.
   * @param gid the group, if its answer depends on the code; otherwise the caller alone is counted, so that the limit does not tell a group that
   *   asks for a code from one that does not, or from none
   * @throws RateLimited, for a right code as well: otherwise the limit would not keep a guesser from finding it
   */
  async guess(caller: Asking, gid: bigint | undefined, right: boolean): Promise<void> {
    await this.take(caller, 'guesses')
    if (gid !== undefined) await this.takeOf(gid, 'guesses')
    if (!right) return
    await this.giveBack(caller, 'guesses')
    if (gid !== undefined) await this.limits.giveBack(this.limit(SHARED_RATES.guesses), String(gid))
  }

  /**
   * Devices of others that a caller puts into a group.
   * @returns to be called if they do not come in after all
   * @throws RateLimited
   */
  async additions(caller: Asking, deviceIds: readonly bigint[]): Promise<() => Promise<void>> {
    const taken: bigint[] = []
    const undo = async () => {
      await Promise.all(taken.map((deviceId) => this.giveBackAddition(caller, deviceId)))
    }
    const outcomes = await Promise.allSettled(
      deviceIds.map(async (deviceId) => {
        await this.take(caller, 'pair', 1, String(deviceId))
        await this.takeOf(deviceId, 'additions').catch(async (error: unknown) => {
          await this.giveBack(caller, 'pair', 1, String(deviceId))
          throw error
        })
        taken.push(deviceId)
      }),
    )
    const refused = outcomes.find(({ status }) => status === 'rejected')
    if (refused?.status !== 'rejected') return undo
    await undo()
    throw refused.reason
  }

  private async giveBackAddition(caller: Asking, deviceId: bigint): Promise<void> {
    await this.giveBack(caller, 'pair', 1, String(deviceId))
    await this.limits.giveBack(this.limit(SHARED_RATES.additions), String(deviceId))
  }

  private async giveBack(caller: Asking, call: CallRate, points = 1, part = ''): Promise<void> {
    for (const [limit, key] of this.countersOf(caller, call, part)) await this.limits.giveBack(limit, key, points)
  }

  private countersOf({ user, deviceId }: Asking, call: CallRate, part: string): [Limit, string][] {
    const row = CALL_RATES[call]
    const own: [Limit, string] = [this.limit(row), `${row.holder === 'device' ? deviceId : user}${part && ` ${part}`}`]
    const domain = parseUserUri(user)?.domain
    if (domain === undefined || domain === this.config.DOMAIN) return [own]
    return [own, [this.limit(peerRate(row)), `${domain}${part && ` ${part}`}`]]
  }

  private limit({ name, setting, value = 0, times = 1, seconds }: GroupRate): Limit {
    const points = setting === undefined ? value : Number(this.config[setting as keyof Config]) * times
    return { name, points, seconds, ...(seconds > 60 && { exact: true }) }
  }
}

/** Bytes of all byte strings in the arguments of a call; decoded values are nested a few levels deep. */
export function bytesIn(value: unknown): number {
  if (value instanceof Uint8Array) return value.length
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce((sum: number, part: unknown) => sum + bytesIn(part), 0)
}
