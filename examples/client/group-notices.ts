import type { GroupRecord } from './store.js'
import type { InboxItem } from './stream.js'

/** What the inbox says of a group, for those who show it or commit in it. */
export function noteOfGroup(record: GroupRecord, { kind, reason, successor, clients = [] }: InboxItem): void {
  if (kind === 'group.deleted') record.standing = 'deleted'
  // With a successor: its Welcome comes later, and the group is gone on with there.
  if (kind === 'group.frozen' || kind === 'group.thawed') [record.frozen, record.successor] = [reason, successor]
  if (kind === 'group.leaving') [record.leaving, record.wishing] = [clients, [...new Set([...record.wishing, ...clients])]]
}
