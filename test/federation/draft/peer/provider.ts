import { decodeMlsMessage } from 'ts-mls'
import { decodeKeyPackage, makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { encodeWelcome } from 'ts-mls/welcome.js'
import { decodeCredential } from 'ts-mls/credential.js'
import { verifyWithLabel } from 'ts-mls/crypto/signature.js'
import { createHash } from 'node:crypto'
import type { TlsIdentity } from './certificates.js'
import { decodeWhole } from './codec.js'
import { decodeMls, hexOf, type Device } from './device.js'
import { encodeGroupInfoRefusal, GROUP_INFO_CODES, readGroupInfoRequest } from './group-info-bodies.js'
import { Hub, refsOf } from './hub.js'
import { encodeKeyMaterialResponse, readKeyMaterialRequest, readKeyMaterialResponse, type KeyMaterialResponse } from './key-material.js'
import { Lanes } from './lanes.js'
import {
  encodeIdentifierResponse,
  readAbuseReport,
  readConsentEntry,
  readIdentifierRequest,
  CONSENT,
  type AbuseReport,
} from './other-bodies.js'
import {
  encodeSubmitResponse,
  encodeUpdateResponse,
  readFanouts,
  readSubmitRequest,
  readUpdateRequest,
  type Fanout,
} from './room-bodies.js'
import { identityOf, suite } from './suite.js'
import { DraftCaller, DraftListener, Refused, type Addresses, type Answer, type Asked } from './transport.js'
import { domainOf, userOf } from './uris.js'
import { Users } from './users.js'

export interface ProviderWish {
  readonly domain: string
  readonly identity: TlsIdentity
  /** Authorities of peers' certificates, PEM. */
  readonly ca: readonly string[]
  readonly addresses: Addresses
  /** Without: users have to grant consent first. */
  readonly openToAll?: boolean
}

/** A provider that speaks draft-ietf-mimi-protocol-06 and nothing else: a hub of its own rooms, a follower in others. */
export class DraftProvider {
  readonly users: Users
  readonly listener: DraftListener
  readonly caller: DraftCaller
  readonly lanes: Lanes
  /** Reports about rooms here. */
  readonly reports: (AbuseReport & { readonly room: string })[] = []
  /** Requests to `notify` that had come before, byte for byte. */
  repeated = 0
  readonly #heard = new Set<string>()
  readonly #turns = new Map<string, Promise<void>>()

  private constructor(
    readonly domain: string,
    wish: ProviderWish,
    readonly hub: Hub,
    lanes: Lanes,
    caller: DraftCaller,
  ) {
    this.users = new Users(domain, wish.openToAll ?? true)
    this.lanes = lanes
    this.caller = caller
    this.listener = new DraftListener(domain, wish.identity, wish.ca, (asked) => this.#answer(asked))
  }

  static async start(wish: ProviderWish): Promise<DraftProvider> {
    const { domain, identity, ca, addresses } = wish
    const caller = new DraftCaller(domain, identity, ca, addresses)
    const lanes = new Lanes(async (to, room, body) => {
      const { status, headers } = await caller.post(to, 'notify', room, body)
      return { status, retryAfter: Number(headers['retry-after'] ?? 0) }
    })
    const hub = new Hub(domain, await suite(), (to, room, fanouts) => {
      if (fanouts.length === 0) return
      if (to === domain) provider.dispatch(room, fanouts)
      else lanes.send(to, room, fanouts)
    })
    const provider: DraftProvider = new DraftProvider(domain, wish, hub, lanes, caller)
    await provider.listener.listen()
    addresses.set(domain, provider.listener.url)
    return provider
  }

  async close(): Promise<void> {
    this.lanes.close()
    this.caller.close()
    await this.listener.close()
  }

  async #answer(asked: Asked): Promise<Answer> {
    const { from, endpoint, argument, body } = asked
    switch (endpoint) {
      case 'keyMaterial':
        return { status: 200, body: encodeKeyMaterialResponse(await this.keyMaterial(from, body, argument)) }
      case 'update':
        return {
          status: 200,
          body: encodeUpdateResponse(await this.hub.update(from, this.#room(argument), decodeWhole(body, readUpdateRequest))),
        }
      case 'submitMessage':
        return {
          status: 200,
          body: encodeSubmitResponse(await this.hub.submit(from, this.#room(argument), decodeWhole(body, readSubmitRequest))),
        }
      case 'notify':
        return this.#notified(from, argument, body)
      case 'groupInfo':
        return { status: 200, body: await this.groupInfo(from, argument, body) }
      case 'requestConsent':
      case 'updateConsent':
        return this.#consent(asked)
      case 'identifierQuery':
        if (argument !== this.domain) throw new Refused(404)
        return { status: 200, body: encodeIdentifierResponse(this.users.find(decodeWhole(body, readIdentifierRequest))) }
      case 'reportAbuse':
        this.reports.push({ ...decodeWhole(body, readAbuseReport), room: this.#room(argument).uri })
        return { status: 201 }
    }
  }

  #room(uri: string) {
    const room = this.hub.room(uri)
    if (!room) throw new Refused(404)
    return room
  }

  /** As the target's provider, or as the room's hub, which asks that one (§5.2). */
  async keyMaterial(from: string, body: Uint8Array, argument: string): Promise<KeyMaterialResponse> {
    const request = decodeWhole(body, readKeyMaterialRequest)
    const { targetUser, roomId, requestingUser, signatureKey, tbs, signature } = request
    if (argument !== targetUser) throw new Refused(400)
    const { signature: algorithm } = await suite()
    if (!(await verifyWithLabel(signatureKey, 'KeyMaterialRequestTBS', tbs, signature, algorithm))) throw new Refused(403)
    const client = identityOf(decodeMls(request.credential, decodeCredential))
    if (userOf(client) !== requestingUser) throw new Refused(403)
    const room = this.hub.room(roomId)
    if (!room) {
      if (domainOf(targetUser) !== this.domain) throw new Refused(404)
      if (domainOf(roomId) !== from) throw new Refused(403)
      return this.users.keyMaterial(from, request)
    }
    if (domainOf(requestingUser) !== from || !this.hub.isParticipant(room, requestingUser)) throw new Refused(403)
    const target = domainOf(targetUser)
    const response =
      target === this.domain ? this.users.keyMaterial(this.domain, request) : await this.#fetchMaterial(target, targetUser, body)
    for (const { keyPackage } of response.clients) {
      if (keyPackage)
        await this.hub.remember(room, target, hexOf(await makeKeyPackageRef(decodeMls(keyPackage, decodeKeyPackage), (await suite()).hash)))
    }
    return response
  }

  async #fetchMaterial(target: string, user: string, body: Uint8Array): Promise<KeyMaterialResponse> {
    const answer = await this.caller.post(target, 'keyMaterial', user, body)
    if (answer.status !== 200) throw new Error(`keyMaterial of ${target}: ${answer.status}`)
    return decodeWhole(answer.body, readKeyMaterialResponse)
  }

  async groupInfo(from: string, uri: string, body: Uint8Array): Promise<Uint8Array> {
    const request = decodeWhole(body, readGroupInfoRequest)
    const room = this.hub.room(uri)
    return room ? this.hub.groupInfo(from, room, request) : encodeGroupInfoRefusal(uri, GROUP_INFO_CODES.notAuthorized)
  }

  #consent({ from, endpoint, argument, body }: Asked): Answer {
    const entry = decodeWhole(body, readConsentEntry)
    const asking = entry.operation === CONSENT.cancel || entry.operation === CONSENT.request
    const [theirs, own] = asking ? [entry.requester, entry.target] : [entry.target, entry.requester]
    if (asking !== (endpoint === 'requestConsent')) throw new Refused(400)
    if (domainOf(theirs) !== from || domainOf(own) !== this.domain || argument !== this.domain) throw new Refused(403)
    if (this.users.has(own)) this.users.heard.push(entry)
    return { status: 201 }
  }

  #notified(from: string, room: string, body: Uint8Array): Answer {
    if (domainOf(room) !== from) throw new Refused(403)
    const fanouts = decodeWhole(body, readFanouts)
    const digest = createHash('sha256').update(`${from} ${room} `).update(body).digest('hex')
    if (this.#heard.has(digest)) {
      this.repeated++
      return { status: 201 }
    }
    const concerned = fanouts.some((one) => this.#welcomed(from, room, one).length > 0) || this.#members(room).length > 0
    if (!concerned) throw new Refused(404)
    this.#heard.add(digest)
    this.dispatch(room, fanouts, from)
    return { status: 201 }
  }

  #members(room: string): Device[] {
    return this.users.devices.filter(({ groups }) => groups.has(room))
  }

  /** The devices of a Welcome whose KeyPackages were handed out to this hub for this room. */
  #welcomed(hub: string, room: string, { kind, message }: Fanout): Device[] {
    const decoded = kind === 'welcome' ? decodeMlsMessage(message, 0)?.[0] : undefined
    if (decoded?.wireformat !== 'mls_welcome') return []
    const refs = refsOf(encodeWelcome(decoded.welcome))
    return refs.flatMap((ref) => {
      const handed = this.users.handedOut.get(ref)
      return handed?.hub === hub && handed.room === room ? [handed.device] : []
    })
  }

  /** To the devices here, one after another. */
  dispatch(room: string, fanouts: readonly Fanout[], hub: string = this.domain): void {
    const before = this.#turns.get(room) ?? Promise.resolve()
    const run = before.then(async () => {
      for (const fanout of fanouts) await this.#dispatchOne(room, fanout, hub)
    })
    this.#turns.set(
      room,
      run.catch(() => undefined),
    )
  }

  async #dispatchOne(room: string, fanout: Fanout, hub: string): Promise<void> {
    const decoded = fanout.kind === 'welcome' ? decodeMlsMessage(fanout.message, 0)?.[0] : undefined
    if (decoded?.wireformat === 'mls_welcome') {
      const tree = fanout.tree ?? new Uint8Array()
      const joining = this.#welcomed(hub, room, fanout)
      await Promise.all(joining.map((device) => device.join(room, encodeWelcome(decoded.welcome), tree)))
      return
    }
    await Promise.all(this.#members(room).map((device) => device.inTurn(() => device.group(room).receive(fanout))))
  }
}
