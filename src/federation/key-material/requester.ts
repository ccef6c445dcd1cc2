import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { resolveClients } from '../../authentication/directory/directory.repository.js'
import { unregisteredAmong } from '../../groups/roster/registered-keys.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { verifyWithLabel } from '../../protocol/mls/signature.js'
import { identityText } from '../../protocol/mls/structures/credential.js'
import { KEY_MATERIAL_LABEL, type SignedKeyMaterialRequest } from '../../protocol/mimi/key-material.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { ForeignDevices } from '../hub/foreign-devices.js'

export interface Requester {
  readonly deviceId: bigint
  readonly client: string
}

/** Who asks for key material: a device of any provider, by its signature under a key that its provider vouches for. */
@Injectable()
export class Requesters {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly devices: ForeignDevices,
  ) {}

  /** Undefined if the request is not what it says. */
  async of(request: SignedKeyMaterialRequest): Promise<Requester | undefined> {
    const client = identityText(request.credential)
    const parsed = client === undefined ? undefined : parseClientUri(client)
    const key = canonicalKey(request.signatureKey)
    if (client === undefined || !parsed || !key || userUri(parsed) !== request.requestingUser) return undefined
    if (!(await verifyWithLabel(key.scheme, key.publicKey, KEY_MATERIAL_LABEL, request.tbs, request.signature))) return undefined
    if (parsed.domain !== this.config.DOMAIN) await this.devices.introduce([{ client, publicKey: key.publicKey }])
    const device = (await resolveClients(this.pool, [client])).get(client)
    if (!device || device.revoked) return undefined
    const unregistered = await unregisteredAmong(this.pool, [{ deviceId: device.deviceId, publicKey: key.publicKey }])
    return unregistered.length > 0 ? undefined : { deviceId: device.deviceId, client }
  }
}
