import type { Socket } from 'node:net'

/** Handed to the parser at one go: a request of usual size whole, of the smallest chunks about 700. */
export const SLICE_BYTES = 4 * 1024

/**
 * Lets Node's HTTP parser have what a connection sends in slices, each in a turn of its own. By itself Node parses all that a read of the
 * socket brings, 64 KB of each connection that has sent something: four hundred that send at the same moment held the event loop for a
 * second, and filled the heap with the chunks of their bodies.
 *
 * With a listener for `readable` a socket does not flow, and each `read(n)` hands `n` bytes to the listener of `data`, which is Node's.
 * Node stops and starts reading by `pause` and `resume`; for a socket that does not flow they have no effect, so they are ours.
 *
 * @param socket that Node's HTTP server has begun to serve
 * @param enter does the work when it is the socket's turn
 * @returns ends this, and leaves the socket as it was: for one that becomes a stream
 */
export function readInTurns(socket: Socket, enter: (work: () => void) => void): () => void {
  let paused = false
  /** There is something to read, but the socket is paused. */
  let missed = false
  /** Its turn comes, or is now: Node resumes the socket in the middle of what it parses. */
  let asked = false
  let ended = false
  const ask = () => {
    if (paused) missed = true
    if (asked || paused || ended) return
    asked = true
    enter(readSlice)
  }
  const readSlice = () => {
    if (!paused) socket.read(Math.min(SLICE_BYTES, socket.readableLength))
    asked = false
    if (ended || socket.destroyed) return
    if (paused || socket.readableLength > 0) ask()
    // An end that came with the last bytes is made known by this.
    else socket.read(0)
  }
  const flow = {
    pause: () => {
      paused = true
      return socket
    },
    resume: () => {
      paused = false
      // Before the read, which may come at once and pause the socket again.
      const asks = missed
      missed = false
      if (asks) ask()
      return socket
    },
    isPaused: () => paused,
  }
  Object.assign(socket, flow)
  socket.on('readable', ask)
  return () => {
    ended = true
    socket.off('readable', ask)
    for (const name of Object.keys(flow)) Reflect.deleteProperty(socket, name)
  }
}
