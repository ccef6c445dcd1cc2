import { describe, expect, it } from '@jest/globals'
import { toBatch } from '../../feed/batch.js'
import type { DeviceRange } from '../../read/device-log.repository.js'
import type { Entry } from '../../read/entry.js'
import type { Membership } from '../../read/memberships.repository.js'
import { Lane, type LaneHost } from './lane.js'

const membership = (changes: Partial<Membership> = {}): Membership => ({
  gid: 1n,
  groupId: Buffer.of(1),
  incarnation: 1,
  headSeq: 10n,
  floorSeq: 0n,
  fromSeq: 1n,
  untilSeq: null,
  ended: null,
  joinEpoch: 0n,
  acked: 0n,
  resync: false,
  awaitsWelcomeAck: false,
  replica: false,
  pushed: true,
  ...changes,
})
const entry = (seq: bigint, changes: Partial<Entry> = {}): Entry => ({
  group_id: Buffer.of(1),
  incarnation: 1,
  seq,
  kind: 'application',
  epoch: 5n,
  accepted_at: new Date(0),
  hash: Buffer.alloc(32),
  chain: Buffer.alloc(32),
  message: Buffer.of(0),
  ...changes,
})
const range = (entries: Entry[], changes: Partial<DeviceRange> = {}): DeviceRange => ({
  incarnation: 1,
  headSeq: 10n,
  untilSeq: null,
  ended: null,
  retired: false,
  entries,
  complete: true,
  ...changes,
})
function laneWith(host: Partial<LaneHost> = {}): Lane {
  return new Lane(1n, Buffer.of(1), 1, { deviceId: 7n, offered: () => undefined, recheck: () => undefined, ...host })
}
function begun(...parameters: Parameters<Lane['begin']>): Lane {
  const lane = laneWith()
  lane.begin(...parameters)
  return lane
}
const at = (seq: bigint, incarnation = 1) => ({ seq, incarnation })

describe('where a lane begins', () => {
  it.each<[string, Partial<Membership>, bigint, ReturnType<typeof at> | undefined, bigint]>([
    ['behind the stored cursor', { acked: 4n }, 0n, undefined, 4n],
    ['behind what this node knows beyond it', { acked: 4n }, 6n, undefined, 6n],
    ['where the client says', { acked: 4n }, 0n, at(8n), 8n],
    ['where the client says, also before the cursor', { acked: 4n }, 0n, at(2n), 2n],
    ['not past the head of a replica, which may lag behind what its hub has answered', { replica: true }, 0n, at(99n), 10n],
    ['not past the end of its interval', { untilSeq: 7n }, 0n, at(99n), 7n],
    ['behind the stored cursor if the client has entries that the log has lost', { acked: 4n }, 0n, at(11n), 4n],
    ['not before the interval', { fromSeq: 6n, acked: 5n }, 0n, at(1n), 5n],
    ['behind the stored cursor if the client means another incarnation', { acked: 4n }, 0n, at(8n, 2), 4n],
    ['behind the stored cursor if the client stands before the floor', { acked: 6n, floorSeq: 5n }, 0n, at(3n), 6n],
  ])('%s', (_what, row, acked, position, cursor) => {
    expect(begun([membership(row)], acked, position).cursor).toBe(cursor)
  })

  it('sends resync where the position cannot be served, and only there', () => {
    const notices = (...parameters: Parameters<Lane['begin']>) => laneWith().begin(...parameters)
    expect(notices([membership()], 0n, at(3n, 2))).toEqual([{ kind: 'resync' }])
    expect(notices([membership({ floorSeq: 5n, acked: 6n })], 0n, at(3n))).toEqual([{ kind: 'resync' }])
    expect(notices([membership()], 0n, at(11n))).toEqual([{ kind: 'resync', lost: true }])
    expect(notices([membership()], 0n, at(10n))).toEqual([])
    expect(notices([membership({ replica: true })], 0n, at(11n))).toEqual([])
    expect(notices([membership()], 0n, at(3n))).toEqual([])
    expect(notices([membership()], 0n, undefined)).toEqual([])
  })

  it('waits for a Welcome, and ends with resync, sent once, where there is nothing to read', () => {
    expect(begun([membership({ awaitsWelcomeAck: true })]).phase).toBe('waiting')
    const lane = laneWith()
    expect(lane.begin([membership({ resync: true })])).toEqual([{ kind: 'resync' }])
    expect(lane.update([membership({ resync: true })])).toEqual([])
    expect(lane.phase).toBe('ended')
  })

  it('says nothing of a removal that was acknowledged', () => {
    const lane = laneWith()
    const removed = membership({ untilSeq: 5n, ended: 'removed' })
    expect(lane.begin([removed], 5n)).toEqual([])
    expect(lane.update([removed])).toEqual([])
    expect(lane.phase).toBe('ended')
  })
})

describe('how a lane continues', () => {
  it('is level once it has read to the head, whatever was hidden before it', () => {
    const lane = begun([membership()])
    expect(lane.advance(range([entry(1n), entry(2n)]), 2)).toEqual([])
    expect([lane.phase, lane.cursor, lane.unacked]).toEqual(['level', 10n, 2])
  })

  it('is behind after a page that was cut, by the read or by its window', () => {
    const lane = begun([membership()])
    lane.advance(range([entry(1n), entry(2n)], { complete: false }), 2)
    expect([lane.phase, lane.cursor]).toEqual(['behind', 2n])
    lane.advance(range([entry(3n), entry(4n)]), 1)
    expect([lane.phase, lane.cursor, lane.unacked]).toEqual(['behind', 3n, 3])
  })

  it('sends the removal after the last entry of the interval, and continues in the next one', () => {
    const lane = begun([membership(), membership({ fromSeq: 8n, acked: 7n })])
    expect(lane.advance(range([entry(1n), entry(5n)], { untilSeq: 5n, ended: 'removed' }), 2)).toEqual([{ kind: 'removed', seq: 5n }])
    expect([lane.phase, lane.cursor, lane.place.fromSeq]).toEqual(['unchecked', 7n, 8n])
  })

  it('says nothing of the removal in a resync, and stops at resync where entries were retired', () => {
    const lane = begun([membership(), membership({ fromSeq: 6n, acked: 5n })])
    expect(lane.advance(range([entry(5n)], { untilSeq: 5n, ended: 'resync' }), 1)).toEqual([])
    expect(lane.advance(range([], { retired: true }), 0)).toEqual([{ kind: 'resync' }])
    expect(lane.phase).toBe('ended')
  })

  it('stays live when its memberships are read again, and does not when its interval was closed', () => {
    const lane = begun([membership()])
    lane.advance(range([]), 0)
    lane.phase = 'live'
    lane.update([membership()])
    expect(lane.phase).toBe('live')
    lane.update([membership({ untilSeq: 12n, ended: 'removed' })])
    expect(lane.phase).toBe('unchecked')
  })

  it('goes back to what was acknowledged when the log ends before what was sent', () => {
    const lane = begun([membership({ acked: 2n })])
    lane.advance(range([entry(3n), entry(4n)], { headSeq: 4n }), 2)
    expect(lane.rewind(3n)).toEqual([{ kind: 'resync', lost: true }])
    expect([lane.cursor, lane.unacked]).toEqual([2n, 0])
    const replica = begun([membership({ acked: 2n, replica: true })])
    replica.advance(range([entry(3n)], { headSeq: 3n }), 1)
    expect(replica.rewind(2n)).toEqual([])
    expect([replica.cursor, replica.unacked]).toEqual([3n, 1])
  })

  it('begins again when the incarnation changes', () => {
    const lane = begun([membership()])
    lane.advance(range([entry(1n)]), 1)
    expect(lane.update([membership({ incarnation: 2, acked: 1n })])).toEqual([{ kind: 'resync' }])
    expect([lane.cursor, lane.unacked, lane.incarnation, lane.phase]).toEqual([1n, 0, 2, 'unchecked'])
  })
})

describe('what a live lane is offered', () => {
  it('is cut to what it may see and has not seen', () => {
    const seen: bigint[][] = []
    const lane = laneWith({
      offered: (to, batch, last) => {
        seen.push(batch.entries.map(({ seq }) => seq))
        to.queued(batch, last)
      },
    })
    lane.begin([membership({ joinEpoch: 5n, headSeq: 2n, acked: 2n })])
    const batch = toBatch([entry(1n), entry(2n), entry(3n, { epoch: 4n }), entry(4n, { epoch: 4n, kind: 'commit' }), entry(5n)])
    lane.offer(batch, 5n)
    lane.offer(batch, 5n)
    expect(seen).toEqual([[4n, 5n]])
    expect([lane.cursor, lane.unacked]).toEqual([5n, 2])
  })

  it('shares the frame of a batch that is all for it', () => {
    const batch = toBatch([entry(1n), entry(2n)])
    expect(batch.for(0n, 0n)).toBe(batch)
    expect(batch.for(1n, 0n).entries).toHaveLength(1)
  })
})

describe('acknowledgements of a lane', () => {
  it('are cumulative, count each entry once, and are refused beyond what was queued', () => {
    const lane = begun([membership()])
    lane.advance(range([entry(1n), entry(3n), entry(4n)], { headSeq: 4n }), 3)
    expect(lane.acknowledge(3n)).toBe(2)
    expect(lane.acknowledge(3n)).toBe(0)
    expect(lane.acknowledge(1n)).toBe(0)
    expect(lane.acknowledge(5n)).toBeUndefined()
    expect(lane.acknowledge(4n)).toBe(1)
    expect(lane.unacked).toBe(0)
  })
})
