import { afterAll, afterEach, beforeAll } from '@jest/globals'
import { startFederation, type Federation, type Provider } from './federation.js'
import { World } from './world.js'

export interface FederatedWorld {
  readonly federation: Federation
  readonly providers: readonly Provider[]
  /** Clients of each provider, in the order of the providers. */
  readonly worlds: readonly World[]
}

/** `count` providers, and people at each of them, for all tests of a file. */
export function useFederation(count: number, overrides: Record<string, string> = {}): FederatedWorld {
  const shared: { federation?: Federation; worlds: World[] } = { worlds: [] }
  beforeAll(async () => {
    shared.federation = await startFederation(count, overrides)
    shared.worlds.push(...shared.federation.providers.map(({ url, domain }) => new World(url, domain)))
  })
  afterEach(async () => void (await Promise.all(shared.worlds.map((world) => world.disconnect()))))
  afterAll(() => shared.federation?.close())
  return {
    get federation() {
      if (!shared.federation) throw new Error('The federation has not started')
      return shared.federation
    },
    get providers() {
      return this.federation.providers
    },
    worlds: shared.worlds,
  }
}
