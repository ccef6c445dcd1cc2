import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Which connections serve a request right now. Node's `closeIdleConnections` spares those on which nothing has been
 * sent yet, and browsers and balancers keep such ones in stock: a stop would wait for them.
 */
export class Connections {
  private readonly requests = new Map<Socket, number>()

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      this.requests.set(socket, 0)
      socket.once('close', () => this.requests.delete(socket))
    })
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.count(socket, 1)
      response.once('close', () => this.count(socket, -1))
    })
    // A stream is ended by its own protocol.
    server.on('upgrade', ({ socket }: IncomingMessage) => this.requests.delete(socket))
  }

  closeIdle(): void {
    for (const [socket, requests] of this.requests) if (requests === 0) socket.destroy()
  }

  private count(socket: Socket, change: number): void {
    const requests = this.requests.get(socket)
    if (requests !== undefined) this.requests.set(socket, requests + change)
  }
}
