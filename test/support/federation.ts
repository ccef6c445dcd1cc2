import { AppModule } from '../../src/app/app.module.js'
import { freePort } from './free-port.js'
import { GENEROUS } from './generous.js'
import { startServer, type TestServer } from './server.js'

export interface Provider extends TestServer {
  readonly domain: string
}

export interface Federation {
  readonly providers: readonly Provider[]
  close(): Promise<void>
}

const NAMES = ['a.example', 'b.example', 'c.example']

/** Settings of `count` providers that know each other, on ports that are free now. */
export async function federationSettings(count: number): Promise<{ domain: string; settings: Record<string, string> }[]> {
  const domains = NAMES.slice(0, count)
  const ports = await Promise.all(domains.map(() => freePort()))
  const urls = domains.map((domain, index) => `${domain}=http://127.0.0.1:${ports[index]}`).join(',')
  return domains.map((domain, index) => ({
    domain,
    settings: {
      DOMAIN: domain,
      PORT: String(ports[index]),
      FEDERATION: 'open',
      FEDERATION_PEER_URLS: urls,
      FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    },
  }))
}

/** `a.example`, `b.example`, … in this process, each with a database of its own. */
export async function startFederation(
  count: number,
  overrides: Record<string, string> = {},
  root: typeof AppModule = AppModule,
): Promise<Federation> {
  const settings = await federationSettings(count)
  const providers = await Promise.all(
    settings.map(async ({ domain, settings: own }) => ({
      ...(await startServer({ ...GENEROUS, ...own, ...overrides }, { root })),
      domain,
    })),
  )
  return { providers, close: async () => void (await Promise.all(providers.map((provider) => provider.close()))) }
}
