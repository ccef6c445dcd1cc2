import { decodeKeyPackage } from 'ts-mls/keyPackage.js'
import type { Extension, Proposal } from 'ts-mls'
import { decodeWhole, opaque } from './codec.js'
import { decodeMls, type Device } from './device.js'
import { readGroupInfoResponse } from './group-info-bodies.js'
import type { RoomPolicy } from './hub.js'
import { CLIENT_CODES, readKeyMaterialResponse, USER_CODES, type KeyMaterialResponse } from './key-material.js'
import { pauseOf } from './lanes.js'
import type { Member } from './mls-group.js'
import { encodeAbuseReport, encodeConsentEntry, encodeIdentifierRequest, readIdentifierResponse, CONSENT } from './other-bodies.js'
import type { AbuseReport, IdentifierResponse, QueryElement } from './other-bodies.js'
import type { DraftProvider } from './provider.js'
import {
  encodeSubmitRequest,
  encodeUpdateRequest,
  readSubmitResponse,
  readUpdateResponse,
  SUBMIT_CODES,
  UPDATE_CODES,
} from './room-bodies.js'
import type { HandshakeBundle, SubmitRequest, SubmitResponse, UpdateResponse } from './room-bodies.js'
import { domainOf, roomUri, userOf } from './uris.js'

/** What a user does with a client, over the user's own provider. */
export class Chat {
  /** Whether Commits bring the ratchet tree along; otherwise the hub makes it from them. */
  withTree = true

  constructor(
    readonly provider: DraftProvider,
    readonly device: Device,
  ) {}

  /** A room here, whose hub is the user's provider (§3.1). @returns its URI */
  async createRoom(name: string, policy: RoomPolicy = {}, extensions: readonly Extension[] = []): Promise<string> {
    const { hub, domain } = this.provider
    const uri = roomUri(domain, name)
    const senders: Extension = { extensionType: 'external_senders', extensionData: opaque(hub.key.sender) }
    const { groupInfo, tree } = await this.device.found(uri, `mimi://${domain}/g/${name}`, [senders, ...extensions])
    hub.create(uri, groupInfo, tree, policy)
    return uri
  }

  /** KeyPackages of a user for a room, over its hub (§5.2). */
  async claim(room: string, user: string): Promise<KeyMaterialResponse> {
    const body = await this.device.keyMaterialRequest(user, room)
    const { domain } = this.provider
    if (domainOf(room) === domain) return this.provider.keyMaterial(domain, body, user)
    return decodeWhole(await this.#ask(domainOf(room), 'keyMaterial', user, body), readKeyMaterialResponse)
  }

  /** Adds all clients of these users. */
  async add(room: string, ...users: string[]): Promise<void> {
    const answers = await Promise.all(users.map((user) => this.claim(room, user)))
    const refused = answers.find(({ status }) => status !== USER_CODES.success && status !== USER_CODES.partialSuccess)
    if (refused) throw new Error(`${refused.user} cannot be added: ${refused.status}`)
    const packages = answers.flatMap(({ clients }) => clients).filter(({ status }) => status === CLIENT_CODES.success)
    await this.commit(room, (members) => {
      const absent = packages.filter(({ client }) => members.every((member) => member.client !== client))
      return absent.map(({ keyPackage = new Uint8Array() }) => ({
        proposalType: 'add',
        add: { keyPackage: decodeMls(keyPackage, decodeKeyPackage) },
      }))
    })
  }

  /** Removes all clients of a user. */
  removeUser(room: string, user: string): Promise<void> {
    return this.commit(room, (members) => members.filter(({ client }) => userOf(client) === user).map(removal))
  }

  /** New keys, and what waits is carried out. */
  refresh(room: string): Promise<void> {
    return this.commit(room, () => [])
  }

  /** Asks to be removed with all of the user's clients; the next Commit does it (§3.5). */
  async leave(room: string): Promise<void> {
    const response = await this.device.inTurn(async () => {
      const group = this.device.group(room)
      const own = group.members.filter(({ client }) => userOf(client) === this.device.user)
      const proposals: Uint8Array[] = []
      for (const one of own) proposals.push(await group.propose(removal(one)))
      const [message = new Uint8Array(), ...moreProposals] = proposals
      return this.update(room, { kind: 'proposal', message, moreProposals })
    })
    if (response.code !== UPDATE_CODES.success) throw new Error(`Cannot leave: ${response.code} ${response.description}`)
  }

  /** Commits until the hub takes it. `intent` is asked again when another Commit came first. */
  async commit(room: string, intent: (members: readonly Member[]) => Proposal[]): Promise<void> {
    for (;;) {
      const response = await this.tryCommit(room, intent)
      if (response.code === UPDATE_CODES.success) return
      if (response.code !== UPDATE_CODES.wrongEpoch) throw new Error(`Commit refused: ${response.code} ${response.description}`)
      await this.#reached(room, Number(response.currentEpoch))
    }
  }

  /** One attempt. */
  tryCommit(room: string, intent: (members: readonly Member[]) => Proposal[]): Promise<UpdateResponse> {
    return this.device.inTurn(async () => {
      const group = this.device.group(room)
      const response = await this.update(room, await group.commit(intent(group.members), this.withTree))
      group.settle(response.code === UPDATE_CODES.success)
      return response
    })
  }

  async update(room: string, bundle: HandshakeBundle): Promise<UpdateResponse> {
    const { hub, domain } = this.provider
    const own = hub.room(room)
    if (own) return hub.update(domain, own, bundle)
    return decodeWhole(await this.#ask(domainOf(room), 'update', room, encodeUpdateRequest(bundle)), readUpdateResponse)
  }

  /** Says a text; what waits is committed first (RFC 9420 §12.4). */
  async send(room: string, text: string): Promise<void> {
    for (;;) {
      if (this.device.group(room).waiting > 0) await this.refresh(room)
      const response = await this.device.inTurn(async () => {
        const message = await this.device.group(room).encrypt(text)
        return this.submit(room, { message, sender: this.device.user })
      })
      if (response.code === SUBMIT_CODES.accepted) return
      if (response.code !== SUBMIT_CODES.epochTooOld) throw new Error(`Message refused: ${response.code}`)
      await this.#reached(room, Number(response.currentEpoch))
    }
  }

  async submit(room: string, request: SubmitRequest): Promise<SubmitResponse> {
    const { hub, domain } = this.provider
    const own = hub.room(room)
    if (own) return hub.submit(domain, own, request)
    return decodeWhole(await this.#ask(domainOf(room), 'submitMessage', room, encodeSubmitRequest(request)), readSubmitResponse)
  }

  /** Joins by an external Commit (§3.6). */
  async joinExternally(room: string, joiningCode?: string): Promise<void> {
    for (;;) {
      const { request, open } = await this.device.askGroupInfo(joiningCode)
      const answer = decodeWhole(await this.groupInfo(room, request), readGroupInfoResponse)
      const { bundle, enter } = await this.device.joinExternally(room, await open(answer))
      const response = await this.device.inTurn(async () => {
        const response = await this.update(room, bundle)
        if (response.code === UPDATE_CODES.success) enter()
        return response
      })
      if (response.code === UPDATE_CODES.success) return
      if (response.code !== UPDATE_CODES.wrongEpoch) throw new Error(`Join refused: ${response.code} ${response.description}`)
    }
  }

  groupInfo(room: string, request: Uint8Array): Promise<Uint8Array> {
    const { domain } = this.provider
    if (domainOf(room) === domain) return this.provider.groupInfo(domain, room, request)
    return this.#ask(domainOf(room), 'groupInfo', room, request)
  }

  /** Asks a user elsewhere for consent to be added (§5.7). @returns the status */
  async requestConsent(target: string, room?: string, operation: number = CONSENT.request): Promise<number> {
    const entry = encodeConsentEntry({ operation, requester: this.device.user, target, room })
    return (await this.provider.caller.post(domainOf(target), 'requestConsent', domainOf(target), entry)).status
  }

  /** Lets a user elsewhere add this one, or no longer. */
  async decideConsent(requester: string, granted: boolean, room?: string): Promise<number> {
    const entry = encodeConsentEntry(this.provider.users.decide(this.device.user, requester, granted, room))
    return (await this.provider.caller.post(domainOf(requester), 'updateConsent', domainOf(requester), entry)).status
  }

  /** Finds users of a provider (§5.8). */
  async find(domain: string, ...elements: QueryElement[]): Promise<IdentifierResponse> {
    return decodeWhole(await this.#ask(domain, 'identifierQuery', domain, encodeIdentifierRequest(elements)), readIdentifierResponse)
  }

  /** Reports a user to the hub (§5.9). @returns the status */
  async report(room: string, report: Omit<AbuseReport, 'reporter'>): Promise<number> {
    const body = encodeAbuseReport({ reporter: this.device.user, ...report })
    return (await this.provider.caller.post(domainOf(room), 'reportAbuse', room, body)).status
  }

  async #ask(to: string, ...request: [Parameters<DraftProvider['caller']['post']>[1], string, Uint8Array]): Promise<Uint8Array> {
    const { status, body } = await this.provider.caller.post(to, ...request)
    if (status !== 200) throw new Error(`${request[0]} of ${to} answers ${status}`)
    return body
  }

  /** Until what the hub has fanned out by then is here. */
  async #reached(room: string, epoch: number): Promise<void> {
    while (this.device.group(room).epoch < epoch) await pauseOf(10)
  }
}

function removal({ leafIndex }: Member): Proposal {
  return { proposalType: 'remove', remove: { removed: leafIndex } }
}
