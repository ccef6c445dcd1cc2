import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { readInTurns, SLICE_BYTES } from './read-in-turns.js'

/** A socket whose pieces are read when the test says so. */
function reading(onPiece: (socket: Socket) => void = () => undefined) {
  const raw = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  const socket = raw as unknown as Socket
  const pieces: number[] = []
  const turns: (() => void)[] = []
  let ends = 0
  socket.on('end', () => (ends += 1))
  socket.on('data', (piece: Buffer) => {
    pieces.push(piece.length)
    onPiece(socket)
  })
  const end = readInTurns(socket, (work) => void turns.push(work))
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
  return {
    raw,
    socket,
    pieces,
    end,
    waiting: () => turns.length,
    ends: () => ends,
    next: async () => {
      await turn()
      turns.shift()?.()
      await turn()
    },
  }
}

describe('what a connection sends', () => {
  it('is read in slices, each in a turn of its own', async () => {
    const { raw, pieces, next, waiting } = reading()
    raw.push(Buffer.alloc(2 * SLICE_BYTES + 1))
    for (const expected of [[SLICE_BYTES], [SLICE_BYTES, SLICE_BYTES], [SLICE_BYTES, SLICE_BYTES, 1]]) {
      await next()
      expect(pieces).toEqual(expected)
    }
    expect(waiting()).toBe(0)
    raw.push(Buffer.alloc(3))
    await next()
    expect(pieces.at(-1)).toBe(3)
  })

  it('ends with its end, also if that came before the last bytes had their turn', async () => {
    const { raw, pieces, ends, next } = reading()
    raw.push('a')
    raw.push(null)
    await next()
    expect([pieces, ends()]).toEqual([[1], 1])
  })

  it('ends with an end that comes alone', async () => {
    const { raw, ends, next } = reading()
    raw.push('a')
    await next()
    raw.push(null)
    await next()
    expect(ends()).toBe(1)
  })

  it('is left alone while the socket is paused, its end too, and read when it is resumed', async () => {
    const { raw, socket, pieces, ends, next, waiting } = reading((own) => own.pause())
    raw.push(Buffer.alloc(2 * SLICE_BYTES))
    await next()
    expect([pieces, socket.isPaused(), waiting()]).toEqual([[SLICE_BYTES], true, 0])
    raw.push(null)
    await next()
    expect([pieces.length, ends()]).toEqual([1, 0])
    socket.resume()
    await next()
    socket.resume()
    await next()
    expect([pieces, ends()]).toEqual([[SLICE_BYTES, SLICE_BYTES], 1])
  })

  it('is not read within a piece that is being read, though Node resumes the socket there', async () => {
    const depths: number[] = []
    let depth = 0
    const { raw, next } = reading((own) => {
      depths.push(++depth)
      own.pause()
      own.resume()
      depth -= 1
    })
    raw.push(Buffer.alloc(2 * SLICE_BYTES))
    await next()
    await next()
    expect(depths).toEqual([1, 1])
  })

  it('continues though its turn comes within the resume, and what is read there pauses the socket again', async () => {
    const raw = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
    const socket = raw as unknown as Socket
    let bytes = 0
    socket.on('data', (piece: Buffer) => {
      bytes += piece.length
      socket.pause()
    })
    readInTurns(socket, (work) => work())
    raw.push(Buffer.alloc(5 * SLICE_BYTES))
    for (let n = 1; n <= 5; n += 1) {
      await new Promise((resolve) => setImmediate(resolve))
      expect(bytes).toBe(n * SLICE_BYTES)
      socket.resume()
    }
  })

  it('flows as usual once this has ended', async () => {
    const { raw, socket, pieces, end, next } = reading()
    raw.push(Buffer.alloc(3 * SLICE_BYTES))
    await next()
    end()
    await next()
    socket.resume()
    await next()
    expect(pieces.reduce((sum, length) => sum + length)).toBe(3 * SLICE_BYTES)
    expect(socket.isPaused()).toBe(false)
  })
})
