import { connect, type Socket } from 'node:net'

/** One connection, one request at a time, made of prepared bytes: what is measured is the server, not a client library. */
export class HttpLane {
  private readonly socket: Socket
  private received: Buffer = Buffer.alloc(0)
  private answered: ((status: number) => void) | undefined

  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true })
    this.socket.on('data', (chunk) => this.read(chunk)).on('error', () => undefined)
    this.socket.on('close', () => this.answered?.(0))
  }

  /** @param request head and body @returns the status; 0 if the connection ended */
  send(request: Uint8Array): Promise<number> {
    return new Promise((resolve) => {
      this.answered = resolve
      this.socket.write(request)
    })
  }

  close(): void {
    this.socket.destroy()
  }

  private read(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
    const end = this.received.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = this.received.toString('latin1', 0, end)
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (this.received.length < end + 4 + length) return
    this.received = Buffer.alloc(0)
    this.answered?.(Number(head.slice(9, 12)))
  }
}

/** A POST as bytes. */
export function requestBytes(url: string, headers: Record<string, string>, body: Uint8Array): Buffer {
  const { host, pathname } = new URL(url)
  const fields = { host, ...headers, 'content-length': String(body.length) }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`POST ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'), body])
}
