import type { ClientState } from 'ts-mls'
import type { Device } from './device.js'
import { applyEntry, type Entry, type LogPage, type SeenCommit } from './entries.js'
import { judgeLeaves, requiresCertificates } from './identity/group-check.js'
import { putOutAfter } from './identity/external-joiner.js'
import { suite } from './mls/suites.js'
import type { FailingLeaf, GroupRecord } from './store.js'
import { toBase64Url } from './wire.js'
import { unverifiedNow } from './x509/unverified.js'

/** How often, and how long after the last try, an accepted entry is looked for that the log does not show yet. */
const READ_ATTEMPTS = 200
const READ_AGAIN_MS = 50

/** Takes entries of a group's log in their order, and looks at the leaves that they bring. One caller at a time. */
export class LogReader {
  constructor(
    private readonly device: Device,
    private readonly record: GroupRecord,
  ) {}

  history(fromSeq: number, limit = 200): Promise<LogPage> {
    return this.device.http.get<LogPage>(`/v1/groups/${toBase64Url(this.record.groupId)}/log?from_seq=${fromSeq}&limit=${limit}`)
  }

  async readOn(): Promise<void> {
    for (;;) {
      const page = await this.history(this.record.cursor + 1)
      await this.apply(page.entries)
      if (page.next_seq === undefined || page.entries.length === 0) return
    }
  }

  /**
   * Reads the log up to `seq`. What was accepted may not be readable at once: a log waits for the acknowledgement of its Welcome, and
   * a provider that follows the group waits for the hub.
   * @throws Error after some ten seconds in vain; the entries then come by the stream
   */
  async readUpTo(seq: number): Promise<void> {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_MS))
      await this.readOn()
      if (this.record.cursor >= seq || this.record.standing !== 'member') return
    }
    throw new Error(`Entry ${seq} was accepted, but cannot be read yet`)
  }

  /**
   * Entries from elsewhere than the log. What lies between the cursor and them is read first: the cursor passes nothing that the log would show. It
   * may show a hole all the same, and that is no loss: a late message of the epoch before this device joined is for the others.
   */
  async take(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      if (entry.seq > this.record.cursor + 1 && this.record.standing === 'member') await this.readOn()
      await this.apply([entry])
    }
  }

  /** MLS is followed also where a Commit brings in a leaf that fails: members who judge by different lists would part ways for good. What fails is noted. */
  async apply(entries: readonly Entry[]): Promise<void> {
    const { impl } = await suite(this.record.suite)
    for (const entry of entries) {
      const before = this.record.state
      const seen = await applyEntry(this.record, entry, impl)
      if (seen && this.record.state !== before) await this.judge({ before, seen })
    }
  }

  /** Looks at every leaf by the newest lists. @param commit what led here, if it has just come @returns those that fail */
  async judge(commit?: { before: ClientState; seen: SeenCommit }): Promise<FailingLeaf[]> {
    const { record } = this
    record.certified ||= requiresCertificates(record.state)
    const still = record.standing === 'member'
    const { failing, newLeaves } = still ? await judgeLeaves(this.device, record, record.state, commit) : { failing: [], newLeaves: [] }
    if (commit) record.putOut = putOutAfter(record, commit.before, record.state, commit.seen)
    const unverified = still ? await unverifiedNow(this.device, record, commit?.before) : []
    Object.assign(record, { quarantine: failing, newLeaves, unverified })
    return failing
  }
}
