import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Caller } from '../../authentication/session/caller.js'
import { ForeignClaims, type Allows, type ForeignClaim } from '../../key-packages/foreign-claims.js'
import type { KeyPackagesClaimed } from '../../key-packages/key-packages.dto.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { decodeIncomingKeyPackage } from '../../platform/http/incoming-message.js'
import { Forbidden, Undecodable } from '../../platform/http/problem.js'
import { keyPackageRef } from '../../protocol/mls/hashes.js'
import { identityText } from '../../protocol/mls/structures/credential.js'
import { framed } from '../../protocol/mimi/common.js'
import { decodeKeyMaterialResponse } from '../../protocol/mimi/key-material.js'
import { decodeExtendedKeyMaterialRequest } from '../../protocol/mimi/microchat/key-material-request.js'
import { Consents } from '../consent/consents.js'
import { IntroducingClient } from '../disclosure/introductions.js'
import { HubBadResponse, hubProblem } from '../peer-problems.js'
import { providerOf } from '../inbound/peer.js'
import { KeyMaterialAnswers, requireBound } from './key-material.js'
import { KeyMaterialRefused, relayedKeyMaterialProblem } from './key-material.problems.js'

/** Claims of our own users that cross providers. */
@Injectable()
export class OwnClaims implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'FEDERATION'>,
    private readonly answers: KeyMaterialAnswers,
    private readonly client: IntroducingClient,
    private readonly claims: ForeignClaims,
    private readonly consents: Consents,
  ) {}

  onModuleInit(): void {
    const send: ForeignClaim = (caller, user, request) => this.claim(caller, user, request)
    const allows: Allows = (requester, target) => this.consents.allows(requester, target)
    this.claims.connect(this.config.FEDERATION === 'off' ? undefined : send, allows)
  }

  /** Claims for a local device, which has to be the one that signed. */
  private async claim(caller: Caller, user: string, request: Uint8Array): Promise<KeyPackagesClaimed> {
    const decoded = decodeExtendedKeyMaterialRequest(request)
    if (decoded.kind === 'malformed') throw new Undecodable(`The key_material_request is malformed: ${decoded.reason}.`)
    const { credential, targetUser, roomId } = decoded.value
    if (identityText(credential) !== caller.client) throw new Forbidden('The key_material_request names another device.')
    if (targetUser !== user) throw new Forbidden('The key_material_request is for another user.')
    requireBound(decoded.value, Date.now())
    await this.client.introduce(caller.user, providerOf(user))
    return claimedOf(await this.ask(caller, providerOf(roomId) ?? '', user, request))
  }

  private async ask(caller: Caller, hub: string, user: string, request: Uint8Array): Promise<Uint8Array> {
    const own = { domain: this.config.DOMAIN }
    if (hub === own.domain) return this.answers.of(own, request)
    const answer = await this.client.sendFor(caller.user, { peer: hub, endpoint: 'keyMaterial', argument: user, body: request })
    if (answer.kind === 'answered' && answer.status === 200) return answer.body
    const target = providerOf(user) ?? ''
    throw relayedKeyMaterialProblem(answer, { target, all: [own.domain, hub, target] }) ?? hubProblem(answer)
  }
}

function claimedOf(body: Uint8Array): KeyPackagesClaimed {
  const decoded = decodeKeyMaterialResponse(body)
  if (decoded.kind === 'malformed') throw new HubBadResponse()
  const { userStatus, clients } = decoded.value
  if (userStatus !== 'success' && userStatus !== 'partial-success' && userStatus !== 'no-compatible-material')
    throw new KeyMaterialRefused(userStatus)
  return {
    key_packages: clients.flatMap((one) => (one.status === 'success' ? [described(one.client, one.keyPackage)] : [])),
    unavailable: clients.flatMap((one) => (one.status === 'success' ? [] : [one.client])),
    reasons: clients.flatMap(({ status, client }) =>
      status === 'success' ? [] : [{ client, reason: status === 'nothing-compatible' ? 'incompatible' : 'exhausted' } as const],
    ),
  }
}

function described(client: string, keyPackage: Uint8Array): KeyPackagesClaimed['key_packages'][number] {
  const decoded = decodeIncomingKeyPackage(keyPackage)
  const suite = decoded.kind === 'decoded' ? decoded.value.cipherSuite : 0
  const ref = keyPackageRef(suite, keyPackage)
  if (!ref) throw new HubBadResponse()
  return { client, cipher_suite: suite, key_package: framed('key-package', keyPackage), ref, last_resort: false }
}
