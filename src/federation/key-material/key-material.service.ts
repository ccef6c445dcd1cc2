import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { resolveClients } from '../../authentication/directory/directory.repository.js'
import { Claims, wantedOf } from '../../key-packages/claims.service.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseClientUri, parseUserUri, userUri } from '../../protocol/identifiers.js'
import { decodeKeyPackage } from '../../protocol/mls/message.js'
import { keyPackageRef } from '../../protocol/mls/references.js'
import { unframed } from '../../protocol/mimi/common.js'
import {
  decodeKeyMaterialRequest,
  decodeKeyMaterialResponse,
  encodeKeyMaterialResponse,
  type ClientKeyMaterial,
  type KeyMaterialResponse,
  type KeyMaterialUserCode,
  type SignedKeyMaterialRequest,
} from '../../protocol/mimi/key-material.js'
import { ForeignDevices } from '../hub/foreign-devices.js'
import { anyUsed, isInRoom, recordForeignRefs, type ForeignRef } from '../hub/hub.repository.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { ForeignDomain } from '../inbound/inbound.problems.js'
import { providerOf } from '../inbound/peer.js'
import { SignedClient } from '../signed-client/signed-client.js'
import { KeyMaterialUnavailable } from './key-material.problems.js'
import { Requesters } from './requester.js'

/**
 * KeyPackages for a room go from the requester's provider over the room's hub to the target's: so the hub knows, when the Welcome
 * comes, whose it is (draft-ietf-mimi-protocol-06, Fetch Key Material).
 */
@Injectable()
export class KeyMaterial {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'KEY_PACKAGE_MAX_LIFETIME'>,
    private readonly claims: Claims,
    private readonly requesters: Requesters,
    private readonly devices: ForeignDevices,
    private readonly client: SignedClient,
  ) {}

  /**
   * As the hub of the room, or as the target's provider for a hub.
   * @param sender the provider that sent the request; ours, for a user of ours
   */
  async answer(sender: string, body: Uint8Array): Promise<Uint8Array> {
    const request = decodedOrRefused(decodeKeyMaterialRequest(body))
    const hub = providerOf(request.roomId)
    const target = parseUserUri(request.targetUser)?.domain
    if (hub === this.config.DOMAIN) return this.asHub(sender, request, target, body)
    // The one case in which a peer speaks for another's user: it forwards what that user has signed.
    if (hub === sender && target === this.config.DOMAIN) return this.asTarget(request)
    throw new ForeignDomain('room')
  }

  /** Whether a KeyPackage of an answer has been used, or it had none to give. */
  async isSpent(answer: Uint8Array): Promise<boolean> {
    const decoded = decodeKeyMaterialResponse(answer)
    const clients = decoded.kind === 'decoded' ? decoded.value.clients : []
    const refs = clients.flatMap((one) => (one.status === 'success' ? (refOf(one.keyPackage, 0)?.ref ?? []) : []))
    return refs.length === 0 || anyUsed(this.pool, refs)
  }

  private async asHub(
    sender: string,
    request: SignedKeyMaterialRequest,
    target: string | undefined,
    body: Uint8Array,
  ): Promise<Uint8Array> {
    if (parseUserUri(request.requestingUser)?.domain !== sender) throw new ForeignDomain('requesting user')
    const requester = await this.requesters.of(request)
    if (!requester) return refusal(request, 'no-consent')
    if (!(await isInRoom(this.pool, request.roomId, requester.deviceId))) return refusal(request, 'no-consent-for-this-room')
    if (target === undefined) return refusal(request, 'user-unknown')
    return target === this.config.DOMAIN ? this.hand(request, requester.deviceId) : this.forward(target, request, body)
  }

  private async asTarget(request: SignedKeyMaterialRequest): Promise<Uint8Array> {
    const requester = await this.requesters.of(request)
    return requester ? this.hand(request, requester.deviceId) : refusal(request, 'no-consent')
  }

  /** A user of ours. */
  private async hand(request: SignedKeyMaterialRequest, requester: bigint): Promise<Uint8Array> {
    const wanted = wantedOf(request.cipherSuites, request.required)
    const answer = await this.claims.hand(request.requestingUser, request.targetUser, wanted, requester).catch((error: unknown) => {
      if (error instanceof NotFound) return undefined
      throw error
    })
    if (!answer) return refusal(request, 'user-unknown')
    const given = answer.key_packages.map(({ client, key_package: bytes }): ClientKeyMaterial => {
      return { status: 'success', client, keyPackage: unframed(bytes as Uint8Array) }
    })
    const without = answer.unavailable.map((client): ClientKeyMaterial => ({ status: 'nothing-compatible', client }))
    const userStatus = without.length === 0 ? 'success' : given.length > 0 ? 'partial-success' : 'no-compatible-material'
    return encodeKeyMaterialResponse({ userStatus, user: request.targetUser, clients: [...given, ...without] })
  }

  /** A user of another provider, whose clients and KeyPackages we get to know on the way. */
  private async forward(target: string, request: SignedKeyMaterialRequest, body: Uint8Array): Promise<Uint8Array> {
    const answer = await this.client.send({ peer: target, endpoint: 'keyMaterial', argument: request.targetUser, body })
    if (answer.kind !== 'answered' || answer.status !== 200) throw new KeyMaterialUnavailable()
    const decoded = decodeKeyMaterialResponse(answer.body)
    if (decoded.kind === 'malformed') throw new KeyMaterialUnavailable()
    await this.record(target, decoded.value)
    return answer.body
  }

  private async record(target: string, { user, clients }: KeyMaterialResponse): Promise<void> {
    const given = clients.flatMap((one) => (one.status === 'success' ? [one] : []))
    const foreign = given.some(({ client }) => {
      const parsed = parseClientUri(client)
      return parsed?.domain !== target || userUri(parsed) !== user
    })
    if (foreign) throw new KeyMaterialUnavailable()
    if (given.length === 0) return
    await this.devices.introduce(given.map(({ client }) => ({ client })))
    const known = await resolveClients(
      this.pool,
      given.map(({ client }) => client),
    )
    const refs = given.flatMap(({ client, keyPackage }): ForeignRef[] => {
      const device = known.get(client)
      const claimed = refOf(keyPackage, this.config.KEY_PACKAGE_MAX_LIFETIME)
      return device && claimed ? [{ deviceId: device.deviceId, ...claimed }] : []
    })
    await recordForeignRefs(this.pool, refs)
  }
}

function refOf(keyPackage: Uint8Array, maxLifetimeMs: number): Omit<ForeignRef, 'deviceId'> | undefined {
  const decoded = decodeKeyPackage(keyPackage)
  if (decoded.kind === 'malformed' || decoded.value.leafNode.source.kind !== 'key-package') return undefined
  const { cipherSuite, leafNode } = decoded.value
  const ref = keyPackageRef(cipherSuite, keyPackage)
  const latest = Date.now() + maxLifetimeMs
  const notAfter = leafNode.source.kind === 'key-package' ? Number(leafNode.source.notAfter) * 1000 : latest
  return ref && { ref, cipherSuite, expiresAt: new Date(Math.min(notAfter, latest)) }
}

function refusal({ targetUser }: SignedKeyMaterialRequest, userStatus: KeyMaterialUserCode): Uint8Array {
  return encodeKeyMaterialResponse({ userStatus, user: targetUser, clients: [] })
}
