import type { Lane } from '../../src/delivery/stream/lanes/lane.js'
import type { Stream } from '../../src/delivery/stream/stream.js'
import { Streams } from '../../src/delivery/stream/streams.js'
import { readMemberships, type Membership } from '../../src/delivery/read/memberships.repository.js'
import { NodeSweep } from '../../src/delivery/sweep/node-sweep.js'
import { readInboxIds } from '../../src/delivery/sweep/sweep.repository.js'
import type { TestServer } from '../support/server.js'

/** After this many sweeps, everything that the database held at the first of them has reached the streams. */
export const BOUND = 4
const INBOX_IDS = 300

/** What a stream keeps to itself. */
interface Inside {
  live: boolean
  connection: { isOpen: boolean }
  lanes: { byGid: Map<bigint, Lane>; stuck: boolean }
  inbox: { onTheWay: Set<bigint>; isFull: boolean }
}
const inside = (stream: Stream) => stream as unknown as Inside

interface State {
  memberships: Membership[]
  inbox: bigint[]
}

/** Compares what the database holds for the open streams of a node with what these have sent, in sweeps, not in time. */
export class DelayChecker {
  readonly late: string[] = []
  /** Entries and items that were looked for. */
  checked = 0
  private sweeps = 0
  private busy = false
  private stopped = false
  private expected: { sweep: number; states: Map<Stream, State> }[] = []

  constructor(private readonly node: TestServer) {
    const nodeSweep = node.app.get(NodeSweep)
    const sweep = nodeSweep.sweep.bind(nodeSweep)
    nodeSweep.sweep = async () => {
      await sweep()
      if (this.busy || this.stopped) return
      this.busy = true
      await this.swept().finally(() => (this.busy = false))
    }
  }

  stop(): void {
    this.stopped = true
  }

  private async swept(): Promise<void> {
    this.sweeps += 1
    this.expected.push({ sweep: this.sweeps, states: await this.look() })
    if ((this.expected[0]?.sweep ?? this.sweeps) > this.sweeps - BOUND) return
    for (const [stream, state] of this.expected.shift()?.states ?? []) await this.compare(stream, state)
  }

  private async look(): Promise<Map<Stream, State>> {
    const states = new Map<Stream, State>()
    for (const stream of this.node.app.get(Streams).all()) if (inside(stream).live) states.set(stream, await this.stateOf(stream))
    return states
  }

  private async stateOf(stream: Stream): Promise<State> {
    const { deviceId } = stream.caller
    const memberships = await readMemberships(this.node.pool, deviceId)
    return { memberships, inbox: (await readInboxIds(this.node.pool, [deviceId], INBOX_IDS)).get(deviceId) ?? [] }
  }

  /** The stream first, then the database once more: what is not in the stream any more is not in the database either. */
  private async compare(stream: Stream, expected: State): Promise<void> {
    const { lanes, inbox, connection } = inside(stream)
    if (!connection.isOpen || lanes.stuck || inbox.isFull) return
    const owed = expected.memberships.filter(({ awaitsWelcomeAck, resync }) => !awaitsWelcomeAck && !resync)
    this.checked += owed.length + expected.inbox.length
    const missing = owed.filter(({ gid, untilSeq, headSeq }) => (lanes.byGid.get(gid)?.cursor ?? -1n) < (untilSeq ?? headSeq))
    const unsent = expected.inbox.filter((id) => !inbox.onTheWay.has(id))
    if (missing.length + unsent.length === 0) return
    const now = await this.stateOf(stream)
    if (!connection.isOpen) return
    for (const { gid, fromSeq } of missing)
      if (now.memberships.some((row) => row.gid === gid && row.fromSeq === fromSeq)) this.late.push(`entries of group ${gid}`)
    for (const id of unsent) if (now.inbox.includes(id)) this.late.push(`inbox item ${id}`)
  }
}
