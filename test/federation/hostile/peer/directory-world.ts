import { afterAll, beforeAll, beforeEach, expect } from '@jest/globals'
import { DirectoryTimes } from '../../../../src/federation/peers/directory-times.js'
import { GENEROUS } from '../../../support/generous.js'
import { startServer, type TestServer } from '../../../support/server.js'
import { documentOf, newKey, signedDirectory, type HostileKey, type Said, type Signed } from './directory.js'
import { HostileProvider, type Victim } from './hostile-provider.js'

const DOMAINS = Array.from({ length: 60 }, (_, number) => `c${number}.example`)
/** An empty IdentifierRequest. */
const NOTHING_ASKED = Buffer.of(0, 0)

export const [first, second, third] = [newKey('k1'), newKey('k2'), newKey('k3')]

/** A server that looks at directories as often as it has a reason, and a provider with another name in each test, which it has never met. */
export class DirectoryWorld {
  server!: TestServer
  readonly peer = new HostileProvider('c.example')
  /** Somebody else who listens somewhere else. */
  readonly thief = new HostileProvider('c.example')
  domain = ''
  private requests = 0

  async start(): Promise<void> {
    await Promise.all([this.peer.listen(), this.thief.listen()])
    this.server = await startServer({
      ...GENEROUS,
      DOMAIN: 'a.example',
      FEDERATION: 'open',
      PUBLIC_URL: 'http://a.example',
      TRUST_PROXY: '127.0.0.1/32',
      FEDERATION_UNVERIFIED_PER_MINUTE: '1000',
      FEDERATION_PEER_URLS: DOMAINS.map((domain) => `${domain}=${this.peer.url}`).join(),
      FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
      FEDERATION_NEW_PEERS_PER_MINUTE: '1000',
    })
    Object.assign(this.server.app.get(DirectoryTimes), { memory: 0, again: -1 })
  }

  next(): void {
    this.domain = DOMAINS.pop() ?? ''
    this.peer.seen.length = 0
    this.thief.seen.length = 0
  }

  close(): Promise<unknown> {
    return Promise.all([this.peer.close(), this.thief.close(), this.server.close()])
  }

  /** What stands at the domain from now on: a directory of k1, but for what is said. */
  show(said: Partial<Said>): Signed {
    const directory = signedDirectory({ domain: this.domain, url: this.peer.url, keys: [first], ...said })
    this.peer.showing = () => documentOf(directory, this.peer.url)
    return directory
  }

  /** How a request with this key is refused: undefined if it was taken. */
  async asks({ kid, privateKey }: HostileKey): Promise<string | undefined> {
    // Each from an address of its own: what one may cause is small.
    const address = `198.51.${this.requests >> 8}.${this.requests++ & 255}`
    const fields = (signed: Record<string, string>) => ({ ...signed, 'x-forwarded-for': address })
    const victim: Victim = { domain: 'a.example', url: this.server.url, proxy: { url: 'http://a.example' } }
    const wrong = { domain: this.domain, keyId: kid, privateKey, fields }
    const told = await this.peer.ask(victim, 'identifierQuery', 'a.example', NOTHING_ASKED, wrong)
    return told.status === 200 ? undefined : told.problem
  }

  /** The server looks at the directory again: a request has a key id that it does not know. */
  async lookAgain(): Promise<void> {
    expect(await this.asks(newKey('unknown'))).toBe('key-unknown')
  }

  async known(): Promise<{ alarm: string | null; error: string | null; keys: string[] }> {
    const { pool } = this.server
    const { rows } = await pool.query<{ alarm: string | null; error: string | null }>(
      'SELECT alarm, directory_error AS error FROM peer WHERE domain = $1',
      [this.domain],
    )
    const keys = await pool.query<{ id: string }>('SELECT key_id AS id FROM peer_key WHERE domain = $1 ORDER BY 1', [this.domain])
    return { alarm: rows[0]?.alarm ?? null, error: rows[0]?.error ?? null, keys: keys.rows.map(({ id }) => id) }
  }

  /** A time of the stored copy is so far from now. */
  async age(column: 'expires_at' | 'fetched_at', interval: string): Promise<void> {
    await this.server.pool.query(`UPDATE peer SET ${column} = now() + interval '${interval}' WHERE domain = $1`, [this.domain])
  }
}

export function useDirectories(): DirectoryWorld {
  const world = new DirectoryWorld()
  beforeAll(() => world.start())
  beforeEach(() => world.next())
  afterAll(() => world.close())
  return world
}
