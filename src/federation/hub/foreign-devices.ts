import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { resolveClients } from '../../authentication/directory/directory.repository.js'
import {
  recordForeignUser,
  unconfirmedAmong,
  type ForeignClaim,
  type ForeignDevice,
} from '../../authentication/directory/foreign-devices.repository.js'
import type { Caller } from '../../authentication/session/caller.js'
import { Hints } from '../../platform/hints/hints.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { canonicalKey, isSoundKey } from '../../protocol/signature-key.js'
import { readCbor } from '../../protocol/strict-cbor.js'
import { refuseForeign, type Peer } from '../inbound/peer.js'
import { SignedClient } from '../signed-client/signed-client.js'
import { ClientUnknown } from './hub.problems.js'
import { UserDirectory } from './user-directory.dto.js'

/** For how long a provider's word about a user is good. A key that is not among it is asked for at once. */
const CONFIRMED_MS = 300_000
/** When the provider does not answer, its older word has to do for as long as this. */
const STALE_MS = 86_400_000
const FAR_FUTURE = new Date(8.64e15)

/** Devices of other providers' users, as those vouch for them: a copy of what is theirs, so that groups here treat all members alike. */
@Injectable()
export class ForeignDevices {
  private readonly fetching = new Map<string, Promise<void>>()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly client: SignedClient,
    private readonly hints: Hints,
  ) {}

  /** Asks the providers of those claims that are not confirmed; whoever does not answer leaves things as they are. */
  async introduce(claims: readonly ForeignClaim[]): Promise<void> {
    const open = await unconfirmedAmong(this.pool, claims, CONFIRMED_MS)
    const users = new Set(open.flatMap(({ client }) => userOfClient(client) ?? []))
    await Promise.all([...users].map((user) => this.fetchOnce(user)))
  }

  /** A device for which its provider speaks, as somebody who calls here. */
  async caller(peer: Peer, client: string): Promise<Caller> {
    refuseForeign(peer, client, 'client')
    const user = userOfClient(client)
    if (user === undefined) throw new ClientUnknown()
    if ((await unconfirmedAmong(this.pool, [{ client }], STALE_MS)).length > 0) await this.fetchOnce(user)
    const device = (await resolveClients(this.pool, [client])).get(client)
    if (!device || device.revoked) throw new ClientUnknown()
    return { deviceId: device.deviceId, userId: device.userId, client, user, generation: 0, expiresAt: FAR_FUTURE }
  }

  /** Asks the provider anew. */
  async refresh(peer: Peer, client: string): Promise<void> {
    refuseForeign(peer, client, 'client')
    const user = userOfClient(client)
    if (user !== undefined) await this.fetchOnce(user)
  }

  private fetchOnce(user: string): Promise<void> {
    const begun = this.fetching.get(user) ?? this.fetch(user).finally(() => this.fetching.delete(user))
    this.fetching.set(user, begun)
    return begun
  }

  private async fetch(user: string): Promise<void> {
    const peer = user.split('/')[2] ?? ''
    const answer = await this.client.send({ peer, endpoint: 'directory', argument: user, body: new Uint8Array() })
    if (answer.kind !== 'answered' || answer.status !== 200) return
    const devices = devicesOf(user, answer.body)
    if (!devices) return
    const revoked = await transaction(this.pool, (sql) => recordForeignUser(sql, user, devices))
    this.hints.publish(revoked.map((deviceId) => ({ kind: 'revoked', deviceId })))
  }
}

function userOfClient(client: string): string | undefined {
  const parsed = parseClientUri(client)
  return parsed && userUri(parsed)
}

/** Only what the provider may say: devices of that user, with keys that can be used. */
function devicesOf(user: string, body: Uint8Array): ForeignDevice[] | undefined {
  const parsed = UserDirectory.safeParse(readCbor(body))
  if (!parsed.success) return undefined
  return parsed.data.devices
    .filter(({ client }) => userOfClient(client) === user)
    .map(({ client, revoked_at: revokedAt = null, signature_keys: keys }) => ({
      client,
      revokedAt,
      keys: keys.flatMap(({ public_key: bytes, valid_from: validFrom, valid_until: validUntil = null }) => {
        const key = canonicalKey(bytes)
        return key && isSoundKey(key) ? [{ publicKey: key.publicKey, validFrom, validUntil }] : []
      }),
    }))
}
