// A client of the stream that sends one frame again and again, as fast as the connection takes it, until its standard input ends.
// Usage: node flood.mjs WS_URL TOKEN FRAME_BASE64 | control
import { once } from 'node:events'
import process from 'node:process'
import { WebSocket } from 'ws'

const [url = '', token = '', frame = ''] = process.argv.slice(2)
const AHEAD_BYTES = 1024 * 1024
const PER_TURN = 20_000

const socket = new WebSocket(`${url}/v1/stream`, ['microchat.v1'], { headers: { authorization: `Bearer ${token}` } })
socket.on('error', () => undefined)
socket.on('close', (code) => {
  process.stdout.write(`closed ${code}\n`)
  process.exit(0)
})
await once(socket, 'open')
process.stdout.write('open\n')
process.stdin.on('end', () => process.exit(0)).resume()

const bytes = Buffer.from(frame, 'base64')
const payload = Buffer.alloc(125)
const send = frame === 'control' ? () => socket.ping(payload) : () => socket.send(bytes)
setInterval(() => {
  // Small frames leave together, as many as a segment holds.
  socket._socket.cork()
  for (let sent = 0; sent < PER_TURN && socket.readyState === WebSocket.OPEN && socket.bufferedAmount < AHEAD_BYTES; sent++) send()
  socket._socket.uncork()
}, 1)
