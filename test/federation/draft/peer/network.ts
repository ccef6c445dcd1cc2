import { TestAuthority } from './certificates.js'
import { Chat } from './chat.js'
import type { Device } from './device.js'
import { DraftProvider, type ProviderWish } from './provider.js'
import type { Addresses } from './transport.js'
import type { Profile } from './users.js'

/** Providers that know one authority and each other's addresses. */
export class DraftNetwork {
  readonly authority = new TestAuthority()
  readonly addresses: Addresses = new Map()
  readonly providers: DraftProvider[] = []

  async start(domain: string, wish: Partial<ProviderWish> = {}): Promise<DraftProvider> {
    const { authority, addresses } = this
    const provider = await DraftProvider.start({ domain, identity: authority.issue(domain), ca: [authority.cert], addresses, ...wish })
    this.providers.push(provider)
    return provider
  }

  async close(): Promise<void> {
    await Promise.all(this.providers.splice(0).map((provider) => provider.close()))
  }
}

/** A user of a provider, on one device or several. */
export async function people(provider: DraftProvider, user: string, devices: string[] = ['phone'], profile: Profile = {}): Promise<Chat[]> {
  const made = await provider.users.register(user, devices, 5, profile)
  return made.map((device: Device) => new Chat(provider, device))
}
