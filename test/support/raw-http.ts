import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What a well-behaved client would never send: bytes on a socket, and everything that comes back until it closes. */
export async function sendRaw(url: string, bytes: string | Uint8Array, { halfClose = false } = {}): Promise<string> {
  const socket = await open(url)
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  socket.on('end', () => socket.end())
  socket.on('error', () => undefined)
  socket.write(bytes)
  if (halfClose) socket.end()
  await once(socket, 'close')
  return Buffer.concat(received).toString()
}

export async function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}
