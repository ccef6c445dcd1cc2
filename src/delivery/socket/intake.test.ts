import { EventEmitter } from 'node:events'
import { Duplex } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { WebSocket } from 'ws'
import { SLICE_BYTES } from '../../platform/admission/read-in-turns.js'
import { Turns } from '../../platform/limits/turns.js'
import { Intake, type FrameWorth, type IntakeLimits } from './intake.js'
import { STREAM_READS } from './stream-limits.js'

/** Bytes of one frame of these tests, its head included. */
const FRAME = 16
const PER_SLICE = SLICE_BYTES / FRAME
const AMPLE: IntakeLimits = { frameRate: { perSecond: 1e6, burst: 1e6 }, byteRate: { perSecond: 1e8, burst: 1e8 }, floodMs: 10_000 }

const turn = () => new Promise((resolve) => void setImmediate(resolve))
const turns = async (count = 50) => {
  for (let done = 0; done < count; done++) await turn()
}

beforeEach(() => void jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }))
afterEach(() => void jest.useRealTimers())

const turnsOf =
  (device: string, shared = new Turns(STREAM_READS.value)) =>
  (work: () => void) =>
    shared.enter(device, work)

/** A stream whose "WebSocket" takes every 16 bytes for a binary message, in the same synchronous way as `ws`. */
function intakeWith(limits: Partial<IntakeLimits> = {}, worth: FrameWorth = 'charged', enter = turnsOf('device')) {
  const raw = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  const pongs: { payload: Buffer; sent: () => void }[] = []
  const pong = (payload: Buffer, _mask: boolean, sent: () => void) => void pongs.push({ payload, sent })
  const socket = Object.assign(new EventEmitter(), { OPEN: 1, readyState: 1, pong })
  const seen = { frames: 0, bytes: 0, floods: [] as string[] }
  const parse = (chunk: Buffer) => {
    seen.bytes += chunk.length
    for (let at = 0; at < chunk.length; at += FRAME) socket.emit('message', chunk.subarray(at + 6, at + FRAME), true)
  }
  raw.on('data', parse)
  const intake = new Intake(socket as unknown as WebSocket, raw, enter, { ...AMPLE, ...limits })
  intake.onFrame = () => {
    seen.frames += 1
    return worth
  }
  intake.onFlood = (limit) => void seen.floods.push(limit)
  intake.open()
  return { raw, socket, seen, pongs, parse, send: (frames: number) => raw.push(Buffer.alloc(frames * FRAME)) }
}

describe('what streams send', () => {
  it('ends with the end of the connection, also if that came before the last bytes had their turn', async () => {
    const { raw, seen, send } = intakeWith()
    let ended = false
    raw.on('end', () => (ended = true))
    send(1)
    raw.push(null)
    await turns()
    expect([seen.frames, ended]).toEqual([1, true])
  })

  it('is parsed in small pieces, between which everything else has its turn, however many streams send', async () => {
    const shared = new Turns(STREAM_READS.value)
    const all = Array.from({ length: 20 }, (_, device) => intakeWith({}, 'charged', turnsOf(String(device), shared)))
    for (const { send } of all) send(4_096)
    let [before, most, apart] = [0, 0, 0]
    while (before < 20 * 4_096) {
      await turn()
      const frames = all.map(({ seen }) => seen.frames)
      const parsed = frames.reduce((sum, one) => sum + one)
      most = Math.max(most, parsed - before)
      apart = Math.max(apart, Math.max(...frames) - Math.min(...frames))
      before = parsed
    }
    expect(most).toBe(STREAM_READS.value * PER_SLICE)
    // All get on at the same pace: none waits until another is done. The first of them is read before the others have come.
    expect(apart).toBeLessThanOrEqual(2 * PER_SLICE)
  })

  it('is left in the socket while the stream is beyond its rate of frames, and read when its time has come', async () => {
    const { seen, send, raw } = intakeWith({ frameRate: { perSecond: 10, burst: 20 } })
    send(2 * PER_SLICE)
    await turns()
    expect(seen.frames).toBe(PER_SLICE)
    expect(raw.readableLength).toBe(SLICE_BYTES)
    // The debt beyond the burst, and one frame more, at ten a second.
    jest.advanceTimersByTime(((PER_SLICE - 20) / 10) * 1_000)
    await turns()
    expect(seen.frames).toBe(PER_SLICE)
    jest.advanceTimersByTime(101)
    await turns()
    expect(seen.frames).toBe(2 * PER_SLICE)
  })

  it('has one turn, also if its socket is paused and resumed in the middle of it', async () => {
    const { seen, send, raw, socket } = intakeWith({ frameRate: { perSecond: 1, burst: 20 } })
    socket.on('message', () => {
      raw.pause()
      raw.resume()
      raw.emit('readable')
    })
    send(4 * PER_SLICE)
    await turns()
    expect(seen.frames).toBe(PER_SLICE)
  })

  it('is left there while it is beyond its rate of bytes', async () => {
    const { seen, send } = intakeWith({ byteRate: { perSecond: 1_024, burst: 2_048 } })
    send(2 * PER_SLICE)
    await turns()
    expect(seen.bytes).toBe(SLICE_BYTES)
    jest.advanceTimersByTime(1_900)
    await turns()
    expect(seen.bytes).toBe(SLICE_BYTES)
    jest.advanceTimersByTime(200)
    await turns()
    expect(seen.bytes).toBe(2 * SLICE_BYTES)
  })

  it('costs nothing where it acknowledges what was delivered', async () => {
    const { seen, send } = intakeWith({ frameRate: { perSecond: 1, burst: 1 } }, 'progress')
    send(8 * PER_SLICE)
    await turns()
    expect(seen.frames).toBe(8 * PER_SLICE)
  })

  it('counts when it is a ping or a pong', async () => {
    for (const kind of ['ping', 'pong']) {
      const { seen, send, socket } = intakeWith({ frameRate: { perSecond: 1, burst: 2 } })
      for (let sent = 0; sent < 3; sent++) socket.emit(kind, Buffer.alloc(0))
      send(PER_SLICE)
      await turns()
      send(1)
      await turns()
      expect(seen.frames).toBe(PER_SLICE)
    }
  })
})

describe('a flood', () => {
  const limits = { frameRate: { perSecond: 100, burst: 100 }, floodMs: 10_000 }
  async function forSeconds(seconds: number, each: () => void) {
    for (let second = 0; second < seconds; second++) {
      each()
      jest.advanceTimersByTime(1_000)
      await turns(5)
    }
  }

  it('is noticed when much more waits all the time than may be read, and not before', async () => {
    const { seen, send, raw } = intakeWith(limits)
    const fill = () => raw.readableLength < 64 * 1024 && send(8_192)
    await forSeconds(8, fill)
    expect(seen.floods).toEqual([])
    await forSeconds(8, fill)
    expect(seen.floods).toEqual(['stream-frames'])
  })

  it('is not assumed while a client that was slowed down sends no more', async () => {
    const { seen, send } = intakeWith(limits)
    send(2_040)
    await turns()
    await forSeconds(30, () => undefined)
    expect(seen).toMatchObject({ frames: 2_040, floods: [] })
  })

  it('is not assumed when it comes now and then', async () => {
    const { seen, send } = intakeWith(limits)
    for (let burst = 0; burst < 5; burst++) {
      send(3_000)
      await forSeconds(40, () => undefined)
    }
    expect(seen).toMatchObject({ frames: 15_000, floods: [] })
  })
})

describe('pings', () => {
  it('have one answer under way, and then one to the last that came', () => {
    const { socket, pongs } = intakeWith()
    for (let sent = 0; sent < 3_000; sent++) socket.emit('ping', Buffer.from(String(sent)))
    expect(pongs.map(({ payload }) => payload.toString())).toEqual(['0'])
    pongs[0]!.sent()
    expect(pongs.map(({ payload }) => payload.toString())).toEqual(['0', '2999'])
    pongs[1]!.sent()
    expect(pongs).toHaveLength(2)
  })
})

describe('after the client has closed', () => {
  it('the rest goes nowhere and the end of the connection is seen', async () => {
    const { raw, parse, send, seen } = intakeWith({ frameRate: { perSecond: 1, burst: 1e5 } })
    let ended = false
    raw.once('end', () => (ended = true))
    send(PER_SLICE)
    await turns()
    raw.off('data', parse)
    send(4 * PER_SLICE)
    raw.push(null)
    await turns()
    expect([seen.frames, ended]).toEqual([PER_SLICE, true])
  })
})
