import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { ForeignDevice } from '../../authentication/directory/foreign-devices.repository.js'
import { decodeIncomingKeyPackage } from '../../platform/http/incoming-message.js'
import { POOL, type Sql } from '../../platform/postgres/sql.js'
import { sameBytes } from '../../protocol/bytes.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { namedIdentity } from '../../protocol/mls/structures/credential.js'
import { canonicalKey, isSoundKey } from '../../protocol/signature-key.js'
import { ForeignUserRecords } from '../hub/foreign-user-records.js'
import { DraftDirectories } from './draft-directories.js'
import { confirmForeignUser, lockVouching, readForeignDevices } from './vouched.repository.js'

/** A client, and the signature key that its provider says it holds; as MLS encodes keys. */
export interface VouchedClient {
  readonly client: string
  readonly publicKey: Uint8Array
}

/** As of a directory (`ForeignDevices`). */
const MOST = { devices: 200, keysOfDevice: 16 }

/**
 * Keys of the clients of peers that speak nothing but the draft. The draft has no directory of users: a provider vouches for a client's key when it sends
 * something that shows it, as key material, a signed request or a handshake, over a connection with its certificate. Nobody else's word counts.
 */
@Injectable()
export class VouchedClients {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly records: ForeignUserRecords,
    private readonly directories: DraftDirectories,
  ) {}

  /** Writes down what `domain` has shown of its own clients. Nothing happens for a provider that does not speak the draft. */
  async vouch(domain: string, clients: readonly VouchedClient[]): Promise<void> {
    if (clients.length === 0 || !(await this.directories.speaksDraft(domain))) return
    const own = clients.flatMap(({ client, publicKey }) => {
      const parsed = parseClientUri(client)
      const key = canonicalKey(publicKey)
      const sound = parsed?.domain === domain && key && isSoundKey(key)
      return sound ? [{ user: userUri(parsed), client, publicKey: key.publicKey }] : []
    })
    for (const [user, ofUser] of Map.groupBy(own, (one) => one.user)) await this.record(user, ofUser)
  }

  /** That a client which is written down still is one: its provider speaks for it now. */
  async confirm(domain: string, client: string): Promise<void> {
    const parsed = parseClientUri(client)
    if (parsed?.domain !== domain || !(await this.directories.speaksDraft(domain))) return
    await confirmForeignUser(this.pool, userUri(parsed))
  }

  /** The same for key packages that the provider has handed out. */
  vouchKeyPackages(domain: string, keyPackages: readonly Uint8Array[]): Promise<void> {
    const clients = keyPackages.flatMap((bytes): VouchedClient[] => {
      const decoded = decodeIncomingKeyPackage(bytes)
      if (decoded.kind === 'malformed') return []
      const { credential, signatureKey } = decoded.value.leafNode
      const client = namedIdentity(credential)
      return client === undefined ? [] : [{ client, publicKey: signatureKey }]
    })
    return this.vouch(domain, clients)
  }

  private async record(user: string, clients: readonly VouchedClient[]): Promise<void> {
    const devices = async (sql: Sql) => {
      await lockVouching(sql, user)
      return withClients(await readForeignDevices(sql, user), clients, new Date())
    }
    await this.records.write(user, devices, new Set(clients.map(({ client }) => client)))
  }
}

/** What was known, and what is new; a device that is full forgets its oldest key. */
function withClients(known: readonly ForeignDevice[], clients: readonly VouchedClient[], now: Date): ForeignDevice[] {
  const devices = new Map(known.map((device) => [device.client, device]))
  for (const { client, publicKey } of clients) {
    const { revokedAt = null, keys = [] } = devices.get(client) ?? {}
    if (!devices.has(client) && devices.size >= MOST.devices) continue
    const isKnown = keys.some((key) => sameBytes(key.publicKey, publicKey))
    const more = isKnown ? keys : [{ publicKey, validFrom: now, validUntil: null }, ...keys].slice(0, MOST.keysOfDevice)
    devices.set(client, { client, revokedAt, keys: more })
  }
  return [...devices.values()]
}
