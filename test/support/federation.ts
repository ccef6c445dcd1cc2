import { AppModule } from '../../src/app/app.module.js'
import { GENEROUS } from './generous.js'
import { faultyProxy, type FaultyProxy } from './network/faulty-proxy.js'
import { startServer, type TestServer } from './server.js'

export interface Provider extends TestServer {
  readonly domain: string
  readonly proxy: FaultyProxy
}

export interface Federation {
  readonly providers: readonly Provider[]
  close(): Promise<void>
}

const NAMES = ['a.example', 'b.example', 'c.example']

/** Settings of `count` providers that know each other, each behind a proxy of its own. */
export async function federationSettings(
  count: number,
): Promise<{ domain: string; proxy: FaultyProxy; settings: Record<string, string> }[]> {
  const domains = NAMES.slice(0, count)
  const proxies = await Promise.all(domains.map(() => faultyProxy()))
  const urls = domains.map((domain, index) => `${domain}=${proxies[index]?.url}`).join(',')
  return domains.map((domain, index) => {
    const own = proxies[index] as FaultyProxy
    const settings = {
      DOMAIN: domain,
      PUBLIC_URL: own.url,
      FEDERATION: 'open',
      FEDERATION_PEER_URLS: urls,
      FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
      SWEEP_INTERVAL: '200ms',
    }
    return { domain, proxy: own, settings }
  })
}

/** `a.example`, `b.example`, … in this process, each with a database of its own; they reach each other by their proxies. */
export async function startFederation(
  count: number,
  overrides: Record<string, string> = {},
  root: typeof AppModule = AppModule,
): Promise<Federation> {
  const settings = await federationSettings(count)
  const providers = await Promise.all(
    settings.map(async ({ domain, proxy: own, settings: given }) => {
      const server = await startServer({ ...GENEROUS, ...given, ...overrides }, { root })
      own.target = server.url
      return { ...server, domain, proxy: own }
    }),
  )
  const close = async () => {
    await Promise.all(providers.map((provider) => provider.close()))
    await Promise.all(settings.map((one) => one.proxy.close()))
  }
  return { providers, close }
}
