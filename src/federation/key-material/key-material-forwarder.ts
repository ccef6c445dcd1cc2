import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { resolveClients } from '../../authentication/directory/directory.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { decodeIncomingKeyPackage } from '../../platform/http/incoming-message.js'
import type { Problem } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseClientUri, parseUserUri, userUri } from '../../protocol/identifiers.js'
import { namedIdentity } from '../../protocol/mls/structures/credential.js'
import { keyPackageRef } from '../../protocol/mls/hashes.js'
import { decodeKeyMaterialResponse, type KeyMaterialResponse, type SignedKeyMaterialRequest } from '../../protocol/mimi/key-material.js'
import { VouchedClients } from '../draft/vouched-clients.js'
import { ForeignDevices } from '../hub/foreign-devices.js'
import { recordForeignRefs, type ForeignRef } from '../hub/hub.repository.js'
import { forgetRefusal, noteRefusal } from '../apart/apart.repository.js'
import { SignedClient, type PeerAnswer } from '../outbound/signed-client.js'
import { peerProblem } from '../peer-problems.js'
import { KeyMaterialUnavailable, ProvidersApart, relayedKeyMaterialProblem } from './key-material.problems.js'

/** The hub between the requester's provider and the target's: forwards the signed request, and records whose KeyPackages the answer holds. */
@Injectable()
export class KeyMaterialForwarder {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'KEY_PACKAGE_MAX_AGE'>,
    private readonly devices: ForeignDevices,
    private readonly client: SignedClient,
    private readonly vouched: VouchedClients,
  ) {}

  /** A user of another provider, whose clients and KeyPackages we get to know on the way. */
  async forward(target: string, request: SignedKeyMaterialRequest, body: Uint8Array): Promise<Uint8Array> {
    const answer = await this.client.send({ peer: target, endpoint: 'keyMaterial', argument: request.targetUser, body })
    const requester = parseUserUri(request.requestingUser)?.domain ?? this.config.DOMAIN
    if (answer.kind !== 'answered' || answer.status !== 200) throw await this.refusal(target, requester, answer)
    await forgetRefusal(this.pool, { by: target, provider: requester })
    const decoded = decodeKeyMaterialResponse(answer.body)
    if (decoded.kind === 'malformed' || decoded.value.user !== request.targetUser) throw new KeyMaterialUnavailable(target)
    await this.record(target, request.roomId, decoded.value)
    return answer.body
  }

  /** Names who refuses whom: the requester's provider cannot know it from here. */
  private async refusal(target: string, requester: string, answer: PeerAnswer): Promise<Problem> {
    const own = this.config.DOMAIN
    if (answer.kind === 'denied') return new ProvidersApart(own, target)
    if (answer.kind === 'answered' && answer.problem === 'urn:microchat:problem:peer-denied') return new ProvidersApart(target, own)
    if ('status' in answer && answer.status === 429) return peerProblem(answer)
    const relayed = relayedKeyMaterialProblem(answer, { target, all: [own, target, requester] })
    // Only of itself: it may say nothing of what others refuse.
    if (relayed instanceof ProvidersApart && relayed.by === target) await noteRefusal(this.pool, { by: target, provider: relayed.provider })
    return relayed ?? new KeyMaterialUnavailable(target)
  }

  private async record(target: string, roomId: string, { user, clients }: KeyMaterialResponse): Promise<void> {
    const given = clients.flatMap((one) => (one.status === 'success' ? [one] : []))
    // The Welcome to a KeyPackage is routed by its owner, so every KeyPackage has to be of the client that it is listed under.
    const foreign = given.some(({ client, keyPackage }) => {
      const parsed = parseClientUri(client)
      return parsed?.domain !== target || userUri(parsed) !== user || ownerOf(keyPackage) !== client
    })
    if (foreign) throw new KeyMaterialUnavailable(target)
    if (given.length === 0) return
    await this.vouched.vouchKeyPackages(
      target,
      given.map(({ keyPackage }) => keyPackage),
    )
    await this.devices.introduce(given.map(({ client }) => ({ client })))
    const known = await resolveClients(
      this.pool,
      given.map(({ client }) => client),
    )
    const refs = given.flatMap(({ client, keyPackage }): ForeignRef[] => {
      const device = known.get(client)
      const claimed = refOf(keyPackage, this.config.KEY_PACKAGE_MAX_AGE)
      return device && claimed ? [{ deviceId: device.deviceId, ...claimed }] : []
    })
    await recordForeignRefs(this.pool, roomId, refs)
  }
}

function ownerOf(keyPackage: Uint8Array): string | undefined {
  const decoded = decodeIncomingKeyPackage(keyPackage)
  return decoded.kind === 'decoded' ? namedIdentity(decoded.value.leafNode.credential) : undefined
}

function refOf(keyPackage: Uint8Array, maxAgeMs: number): Omit<ForeignRef, 'deviceId'> | undefined {
  const decoded = decodeIncomingKeyPackage(keyPackage)
  if (decoded.kind === 'malformed' || decoded.value.leafNode.source.kind !== 'key-package') return undefined
  const { cipherSuite, leafNode } = decoded.value
  const ref = keyPackageRef(cipherSuite, keyPackage)
  const latest = Date.now() + maxAgeMs
  const notAfter = leafNode.source.kind === 'key-package' ? Number(leafNode.source.notAfter) * 1000 : latest
  return ref && { ref, cipherSuite, expiresAt: new Date(Math.min(notAfter, latest)) }
}
