import type { DescribedLimit } from '../limits/described-limit.js'
import { Holds } from '../limits/holds.js'
import { CALLER_BYTES, PROCESS_BYTES } from './admission-limits.js'

/** Bodies up to here may also use the part of the budget that larger ones must leave. */
export const SMALL_BODY_BYTES = 64 * 1024
const SHARE_OF_LARGE_BODIES = 0.75

/** Bytes of request bodies and of answers on their way, for the whole process and for each caller. */
export class BytesInFlight {
  private readonly held: Holds

  /** @param cap bytes of the whole process. @param capOfCaller bytes of one caller */
  constructor(
    private readonly cap: number,
    capOfCaller: number,
  ) {
    this.held = new Holds(capOfCaller)
  }

  get total(): number {
    return this.held.total
  }

  /**
   * Holds `bytes` more for `caller`.
   * @param sizeOfBody of the whole body that they belong to, as far as it is known
   * @returns the limit that was reached, in which case nothing more is held
   */
  take(caller: string, bytes: number, sizeOfBody: number): DescribedLimit | undefined {
    const cap = sizeOfBody > SMALL_BODY_BYTES ? this.cap * SHARE_OF_LARGE_BODIES : this.cap
    if (this.held.total + bytes > cap) return PROCESS_BYTES
    return this.held.take(caller, bytes) ? undefined : CALLER_BYTES
  }

  /** Counts the bytes of an answer, which exists already: later requests wait for it. */
  hold(caller: string, bytes: number): void {
    this.held.add(caller, bytes)
  }

  release(caller: string, bytes: number): void {
    this.held.release(caller, bytes)
  }
}
