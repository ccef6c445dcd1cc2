import { afterAll, afterEach, beforeAll } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { startFederation, type Federation, type Provider } from './federation.js'
import { everyoneHasRead } from './readings.js'
import { World } from './world.js'

export interface FederatedWorld {
  readonly federation: Federation
  readonly providers: readonly Provider[]
  /** Clients of each provider, in the order of the providers. */
  readonly worlds: readonly World[]
  /** Waits until all people in a group have read all of it, and checks that each has read each message once and in order. */
  everyoneHasRead(): Promise<void>
  /** At the end of this test these cannot have read all, as each has noted where it is so. Each test ends with `everyoneHasRead` of all others. */
  staysBehind(...clients: Client[]): void
}

/** `count` providers, and people at each of them, for all tests of a file. */
export function useFederation(count: number, overrides: Record<string, string> = {}): FederatedWorld {
  const shared: { federation?: Federation; worlds: World[]; behind: Client[] } = { worlds: [], behind: [] }
  beforeAll(async () => {
    shared.federation = await startFederation(count, overrides)
    shared.worlds.push(...shared.federation.providers.map(({ url, domain }) => new World(url, domain)))
  })
  const everyone = (except: readonly Client[] = []) =>
    everyoneHasRead(
      shared.worlds.flatMap((world) => world.clients),
      (shared.federation?.providers ?? []).map(({ pool }) => pool),
      except,
    )
  // Whatever a test is about: nobody loses, doubles or swaps a message in it.
  afterEach(async () => {
    try {
      await everyone(shared.behind.splice(0))
    } finally {
      await Promise.all(shared.worlds.map((world) => world.disconnect()))
    }
  })
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
    everyoneHasRead: everyone,
    staysBehind: (...clients) => void shared.behind.push(...clients),
  }
}
