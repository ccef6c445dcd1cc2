import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { Claims, wantedOf } from '../../key-packages/claims.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { unframed } from '../../protocol/mimi/common.js'
import {
  encodeKeyMaterialResponse,
  type ClientKeyMaterial,
  type KeyMaterialUserCode,
  type SignedKeyMaterialRequest,
} from '../../protocol/mimi/key-material.js'
import { Consents } from '../consent/consents.js'
import { providerOf } from '../inbound/peer.js'
import { recordHandedOut } from '../joins/join-proofs.repository.js'

/** KeyPackages of this server's users, for requesters whom they have not refused. */
@Injectable()
export class OwnKeyMaterial {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly claims: Claims,
    private readonly consents: Consents,
  ) {}

  /** @param requester the device that asks, which gets none of its own */
  async hand(request: SignedKeyMaterialRequest, requester: bigint): Promise<Uint8Array> {
    if (!(await this.consents.allows(request.requestingUser, request.targetUser, request.roomId))) return refusal(request, 'no-consent')
    const wanted = wantedOf(request.cipherSuites, request.required)
    const answer = await this.claims.hand(request.requestingUser, request.targetUser, wanted, requester).catch((error: unknown) => {
      if (error instanceof NotFound) return undefined
      throw error
    })
    if (!answer) return refusal(request, 'user-unknown')
    if (providerOf(request.roomId) !== this.config.DOMAIN)
      await recordHandedOut(
        this.pool,
        request.roomId,
        answer.key_packages.map(({ ref }) => ref as Uint8Array),
      )
    const given = answer.key_packages.map(({ client, key_package: bytes }): ClientKeyMaterial => {
      return { status: 'success', client, keyPackage: unframed(bytes as Uint8Array) }
    })
    const without = answer.reasons.map(({ client, reason }): ClientKeyMaterial => ({
      status: reason === 'exhausted' ? 'key-material-exhausted' : 'nothing-compatible',
      client,
    }))
    const userStatus = without.length === 0 ? 'success' : given.length > 0 ? 'partial-success' : 'no-compatible-material'
    return encodeKeyMaterialResponse({ userStatus, user: request.targetUser, clients: [...given, ...without] })
  }
}

/** An encoded KeyMaterialResponse without KeyPackages, which says why. */
export function refusal({ targetUser }: SignedKeyMaterialRequest, userStatus: KeyMaterialUserCode): Uint8Array {
  return encodeKeyMaterialResponse({ userStatus, user: targetUser, clients: [] })
}
