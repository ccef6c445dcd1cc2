import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { resolveClients } from '../../authentication/directory/directory.repository.js'
import { unregisteredAmong } from '../../groups/roster/roster.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { verifyWithLabel } from '../../protocol/mls/signature.js'
import { identityText, type Credential } from '../../protocol/mls/structures/credential.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { VouchedClients } from '../draft/vouched-clients.js'
import { ForeignDevices } from '../hub/foreign-devices.js'
import { PeerPolicy } from '../peers/peer-policy.js'

/** What a client has signed for other providers. */
export interface SignedByClient {
  readonly credential: Credential
  readonly signatureKey: Uint8Array
  readonly tbs: Uint8Array
  readonly signature: Uint8Array
}

export interface Requester {
  readonly deviceId: bigint
  readonly client: string
  readonly user: string
}

/** Who asks for key material or a GroupInfo: a device of any provider, by its signature under a key that its provider vouches for. */
@Injectable()
export class Requesters {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly devices: ForeignDevices,
    private readonly policy: PeerPolicy,
    private readonly vouched: VouchedClients,
  ) {}

  /** Whether users of a provider get nothing here, because the settings do not admit it. */
  async areRefused(provider: string): Promise<boolean> {
    return provider !== this.config.DOMAIN && !(await this.policy.admits(provider))
  }

  /** Undefined if the request is not what it says. @param sender domain of the provider that sent it, and so vouches for its own client */
  async of({ credential, signatureKey, tbs, signature }: SignedByClient, label: string, sender: string): Promise<Requester | undefined> {
    const client = identityText(credential)
    const parsed = client === undefined ? undefined : parseClientUri(client)
    const key = canonicalKey(signatureKey)
    if (client === undefined || !parsed || !key) return undefined
    if (!(await verifyWithLabel(key.scheme, key.publicKey, label, tbs, signature))) return undefined
    if (parsed.domain === sender) await this.vouched.vouch(sender, [{ client, publicKey: signatureKey }])
    if (parsed.domain !== this.config.DOMAIN) await this.devices.introduce([{ client, publicKey: key.publicKey }])
    const device = (await resolveClients(this.pool, [client])).get(client)
    if (!device || device.revoked) return undefined
    const unregistered = await unregisteredAmong(this.pool, [{ deviceId: device.deviceId, publicKey: key.publicKey }])
    return unregistered.length > 0 ? undefined : { deviceId: device.deviceId, client, user: userUri(parsed) }
  }
}
