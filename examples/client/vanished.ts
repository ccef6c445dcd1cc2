import type { Http } from './http.js'
import { toBase64Url } from './wire.js'

/** An entry that a hub has taken back: what is left of it. */
export interface VanishedEntry {
  readonly seq: number
  readonly kind: 'commit' | 'proposal' | 'application'
  readonly epoch: number
  /** SHA-256 of the message: who still has the message can show that it was there. */
  readonly hash: Uint8Array
}

/** Which entries are gone with the incarnation that a group is in now. Nothing where the server does not say. */
export async function readVanished(http: Http, groupId: Uint8Array): Promise<VanishedEntry[]> {
  const found: VanishedEntry[] = []
  let from: number | undefined = 0
  while (from !== undefined) {
    const path = `/v1/groups/${toBase64Url(groupId)}/log/vanished?from_seq=${from}`
    // One that may not read the group any more, or whose server does not know, has nothing to show.
    const page: { entries: VanishedEntry[]; next_seq?: number } = await http.get<typeof page>(path).catch(() => ({ entries: [] }))
    found.push(...page.entries)
    from = page.next_seq
  }
  return found
}
