import { Device } from './device.js'
import { CLIENT_CODES, USER_CODES, type ClientKeyMaterial, type KeyMaterialRequest, type KeyMaterialResponse } from './key-material.js'
import { CONSENT, QUERY_CODES, SEARCH, type ConsentEntry, type IdentifierResponse, type QueryElement } from './other-bodies.js'
import { SUITE } from './suite.js'
import { clientUri, userUri } from './uris.js'

/** What others may find a user by. */
export interface Profile {
  readonly handle?: string
  readonly nick?: string
  readonly email?: string
  readonly name?: string
}

interface Account {
  readonly devices: Device[]
  readonly packages: Map<string, { ref: string; keyPackage: Uint8Array }[]>
  profile: Profile
  /** By requester, or requester and room; false: revoked. */
  readonly consents: Map<string, boolean>
}

const scope = (requester: string, room?: string): string => (room === undefined ? requester : `${requester} ${room}`)

/** The users of a provider: their KeyPackages, consents and profiles. */
export class Users {
  readonly #accounts = new Map<string, Account>()
  /** To whom which KeyPackage was handed out, by its ref: the hub that asked, for which room, of which client. */
  readonly handedOut = new Map<string, { hub: string; room: string; device: Device }>()
  /** ConsentEntries that came from other providers. */
  readonly heard: ConsentEntry[] = []

  constructor(
    readonly domain: string,
    /** Whether anybody may add a user who has not revoked that. */
    private readonly openToAll: boolean,
  ) {}

  /** A user with devices, each with this many KeyPackages. */
  async register(user: string, devices: readonly string[] = ['phone'], packages = 5, profile: Profile = {}): Promise<Device[]> {
    const account: Account = { devices: [], packages: new Map(), profile: { nick: user, ...profile }, consents: new Map() }
    this.#accounts.set(userUri(this.domain, user), account)
    for (const name of devices) {
      const device = await Device.create(clientUri(this.domain, user, name))
      account.devices.push(device)
      account.packages.set(device.client, await Promise.all(Array.from({ length: packages }, () => device.newKeyPackage())))
    }
    return account.devices
  }

  get devices(): Device[] {
    return [...this.#accounts.values()].flatMap(({ devices }) => devices)
  }

  /** @param hub the provider that asks: the room's hub */
  keyMaterial(hub: string, request: KeyMaterialRequest): KeyMaterialResponse {
    const { targetUser: user, roomId: room, requestingUser } = request
    const account = this.#accounts.get(user)
    // An unknown user and one without consent cannot be told apart (§5.2).
    if (!account || !this.#consents(account, requestingUser, room)) return { status: USER_CODES.noConsent, user, clients: [] }
    if (!request.ciphersuites.includes(SUITE)) return { status: USER_CODES.noCompatibleMaterial, user, clients: [] }
    const clients = account.devices.map((device): ClientKeyMaterial => {
      const taken = account.packages.get(device.client)?.shift()
      if (!taken) return { status: CLIENT_CODES.keyMaterialExhausted, client: device.client }
      this.handedOut.set(taken.ref, { hub, room, device })
      return { status: CLIENT_CODES.success, client: device.client, keyPackage: taken.keyPackage }
    })
    const given = clients.filter(({ status }) => status === CLIENT_CODES.success).length
    const some = given > 0 ? USER_CODES.partialSuccess : USER_CODES.noCompatibleMaterial
    return { status: given === clients.length ? USER_CODES.success : some, user, clients }
  }

  #consents({ consents }: Account, requester: string, room: string): boolean {
    return consents.get(scope(requester, room)) ?? consents.get(scope(requester)) ?? this.openToAll
  }

  /** A user lets another add it, or no longer. @returns the entry for that one's provider */
  decide(target: string, requester: string, granted: boolean, room?: string): ConsentEntry {
    this.#accounts.get(target)?.consents.set(scope(requester, room), granted)
    return { operation: granted ? CONSENT.grant : CONSENT.revoke, requester, target, room, keyPackages: [] }
  }

  has(user: string): boolean {
    return this.#accounts.has(user)
  }

  find(elements: readonly QueryElement[]): IdentifierResponse {
    const known: Record<number, keyof Profile> = {
      [SEARCH.handle]: 'handle',
      [SEARCH.nick]: 'nick',
      [SEARCH.email]: 'email',
      [SEARCH.partialName]: 'name',
    }
    if (elements.some(({ type }) => known[type] === undefined)) return { code: QUERY_CODES.unsupportedField, uris: [] }
    const matches = ({ profile }: Account) =>
      elements.every(({ type, value }) => {
        const field = profile[known[type] ?? 'name'] ?? ''
        return type === SEARCH.partialName ? field.toLowerCase().includes(value.toLowerCase()) : field === value
      })
    const uris = [...this.#accounts].filter(([, account]) => matches(account)).map(([uri]) => uri)
    return { code: uris.length > 0 ? QUERY_CODES.success : QUERY_CODES.notFound, uris }
  }
}
