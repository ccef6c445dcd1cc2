import type { Http } from './http.js'
import { toBase64Url, toHex } from './wire.js'

/** An entry that a hub has taken back: what is left of it. */
interface VanishedEntry {
  readonly seq: number
  readonly kind: 'commit' | 'proposal' | 'application'
  readonly epoch: number
  /** SHA-256 of the message: who still has the message can show that it was there. */
  readonly hash: Uint8Array
}

/** An entry of a group that this client is in. */
export interface VanishedFrom extends VanishedEntry {
  readonly groupId: Uint8Array
}

/** Adds to `known` which entries are gone with the incarnation that a group is in now, each once: `resync` may come more than once. */
export async function noteVanished(http: Http, groupId: Uint8Array, known: VanishedFrom[]): Promise<void> {
  for (const entry of await readVanished(http, groupId)) {
    const isKnown = known.some(
      (one) => one.seq === entry.seq && toHex(one.hash) === toHex(entry.hash) && toHex(one.groupId) === toHex(groupId),
    )
    if (!isKnown) known.push({ ...entry, groupId })
  }
}

/** Which entries are gone with the incarnation that a group is in now. Nothing where the server does not say. */
async function readVanished(http: Http, groupId: Uint8Array): Promise<VanishedEntry[]> {
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
