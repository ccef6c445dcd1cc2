import { LRUCache } from 'lru-cache'
import type { PeerAnswer } from '../outbound/signed-client.js'

const MAX_REMEMBERED = 10_000
/** Of a batch: small enough for one entry, which is the least that one has. */
const SMALLEST = 2 ** -20

/** Groups of which peers take less at once for now. */
export class HeldBackGroups {
  private readonly parts = new LRUCache<string, number>({ max: MAX_REMEMBERED })

  /** What part of a batch of the usual size may be tried. */
  shareOf(domain: string, gid: bigint): number {
    return this.parts.get(`${domain} ${gid}`) ?? 1
  }

  /** @param entries of the batch that was not taken */
  halve(domain: string, gid: bigint, entries: number): void {
    const part = entries === 2 ? SMALLEST : Math.max(SMALLEST, this.shareOf(domain, gid) / 2)
    this.parts.set(`${domain} ${gid}`, part)
  }

  /** A batch was taken. */
  grow(domain: string, gid: bigint): void {
    const part = this.parts.get(`${domain} ${gid}`)
    if (part === undefined) return
    if (part >= 0.5) this.parts.delete(`${domain} ${gid}`)
    else this.parts.set(`${domain} ${gid}`, part * 2)
  }
}

/** Whether a follower keeps as much of this group as it may for now. */
export function isHeldBack(answer: PeerAnswer): boolean {
  return answer.kind === 'answered' && answer.status === 429 && answer.problem === 'urn:microchat:problem:held-back'
}
