import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { loadConfig } from '../../src/platform/config/config.js'

const script = new URL('../../docker/make-env.sh', import.meta.url).pathname
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'microchat-env-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function make(name: string, args: string[], environment: Record<string, string> = {}) {
  const file = join(folder, name)
  const { status, stderr } = spawnSync('sh', [script, ...args], { env: { PATH: process.env['PATH'], ENV_FILE: file, ...environment } })
  return { file, status, stderr: stderr.toString(), settings: parseEnv(readFileSync(file, 'utf8')) }
}

it('docker/make-env.sh makes a whole .env for trying things out, which nobody else can read', () => {
  const { file, status, settings } = make('plain', [])
  expect(status).toBe(0)
  expect(settings).toMatchObject({ DOMAIN: 'localhost', PUBLIC_URL: 'https://localhost', TLS: 'internal', HTTPS_PORT: '443' })
  expect(loadConfig({ ...settings, DATABASE_URL: `postgres://microchat:${settings['POSTGRES_PASSWORD']}@postgres/microchat` }).DOMAIN).toBe(
    'localhost',
  )
  expect(settings['REDIS_PASSWORD']).toMatch(/^[0-9a-f]{48}$/)
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

it('… or for a domain, with certificates of Let’s Encrypt', () => {
  expect(make('real', ['chat.example.org', 'ops@example.org']).settings).toMatchObject({
    DOMAIN: 'chat.example.org',
    PUBLIC_URL: 'https://chat.example.org',
    TLS: 'ops@example.org',
  })
})

it('… or on other ports', () => {
  const { settings } = make('ports', [], { HTTP_PORT: '8080', HTTPS_PORT: '8443' })
  expect(settings).toMatchObject({ PUBLIC_URL: 'https://localhost:8443', HTTP_PORT: '8080', HTTPS_PORT: '8443' })
})

it('… or with federation on, to try it', () => {
  const { settings } = make('federation', [], { TRY_FEDERATION: 'yes', PEER_PORT: '9091' })
  expect(settings).toMatchObject({ FEDERATION: 'open', FEDERATION_URL: 'http://api:8080', PEER_PORT: '9091' })
  expect(loadConfig(settings).FEDERATION_PEER_URLS).toEqual(new Map([['peer.localhost', 'http://peer:8080']]))
  expect(make('no-federation', []).settings).not.toHaveProperty('FEDERATION')
})

it('every secret is another one, each time', () => {
  const secrets = ['one', 'two'].flatMap((name) => {
    const { settings } = make(name, [])
    return Object.keys(settings).flatMap((key) => (/SECRET|PASSWORD/.test(key) ? [settings[key]] : []))
  })
  expect(new Set(secrets).size).toBe(10)
  expect(secrets).not.toContain('')
})

it('an .env that is there is left alone', () => {
  const before = make('kept', []).settings
  const again = make('kept', ['chat.example.org'])
  expect(again.status).not.toBe(0)
  expect(again.stderr).toMatch(/is there already/)
  expect(again.settings).toEqual(before)
})
