import { describe, expect, it } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { ConfigError, loadConfig } from './config.js'
import { configurationPage } from './config-page.js'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.js'

const SECRET = Buffer.alloc(32, 7).toString('base64')

function sentencesFor(environment: Record<string, string>): string[] {
  try {
    loadConfig(environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.sentences
    throw error
  }
  return []
}

describe('settings', () => {
  it('take each default as the page shows it', () => {
    const rows = [...configurationPage().matchAll(/^\| `([A-Z_]+)` \| `([^`]*)` \|/gm)].map(
      ([, key = '', shown = '']) => [key, shown] as const,
    )
    expect(rows.length).toBeGreaterThan(50)
    const refused = rows.filter(([key, shown]) => sentencesFor({ [key]: shown }).some((sentence) => sentence.includes(`${key} `)))
    expect(refused).toEqual([])
  })

  it('need nothing at all, and are then those of the embedded mode', () => {
    const config = loadConfig({})
    expect(config).toMatchObject({ DOMAIN: 'localhost', PORT: 8080, ROLE: 'both', ACCESS_TOKEN_TTL: 300_000, MAX_GROUP_INFO_BYTES: 65_536 })
    expect(config.DATABASE_URL).toBeUndefined()
  })

  it('take an empty variable for an unset one', () => {
    expect(loadConfig({ DATABASE_URL: '', PORT: '' }).PORT).toBe(8080)
  })

  it('take a week of a token key as the page writes it', () => {
    expect(loadConfig({ TOKEN_KEY_PERIOD: '7d' }).TOKEN_KEY_PERIOD).toBe(loadConfig({}).TOKEN_KEY_PERIOD)
    expect(configurationPage()).toContain('| `TOKEN_KEY_PERIOD` | `7d` |')
  })

  it.each([
    [{ PORT: 'eighty' }, 'PORT must be a whole number from 0 to 65535.'],
    [{ PORT: '65536' }, 'PORT must be from 0 to 65535.'],
    [{ ROLE: 'boss' }, 'ROLE must be one of api, worker, both.'],
    [{ ACCESS_TOKEN_TTL: '300' }, 'ACCESS_TOKEN_TTL must be a duration such as 250ms, 30s, 5m, 24h or 90d.'],
    [{ ACCESS_TOKEN_TTL: '1s' }, 'ACCESS_TOKEN_TTL must be from 10s to 1d.'],
    [{ MAX_BODY_BYTES: '65MiB' }, 'MAX_BODY_BYTES must be from 1 to 64MiB.'],
    [{ TOKEN_KEY_PERIOD: '604800000' }, 'TOKEN_KEY_PERIOD must be a duration such as 250ms, 30s, 5m, 24h or 90d.'],
    [{ TOKEN_KEY_PERIOD: '91d' }, 'TOKEN_KEY_PERIOD must be from 6h to 90d.'],
    [{ MAX_BODY_BYTES: '6 MB' }, 'MAX_BODY_BYTES must be a size such as 4096, 64KiB or 2MiB.'],
    [{ DATABASE_URL: 'mysql://db' }, 'DATABASE_URL must be a postgres:// URL.'],
    [{ REDIS_URL: 'redis' }, 'REDIS_URL must be redis:// or rediss:// URLs, separated by commas.'],
    [{ OPERATIONS_PORT: '8080' }, 'OPERATIONS_PORT must be another port than PORT.'],
    [{ OPERATIONS_HOST: '127.0.0.1' }, 'OPERATIONS_HOST is set but OPERATIONS_PORT is not.'],
    [{ DOMAIN: 'https://example.org' }, 'DOMAIN must be a host name, without scheme or path.'],
    [{ SERVER_SECRET: 'hunter2' }, 'SERVER_SECRET must be 32 random bytes in base64 (openssl rand -base64 32).'],
    [{ DATABASE_URL: 'postgres://db/x' }, 'SERVER_SECRET is required with DATABASE_URL (make one: openssl rand -base64 32).'],
    [{ ROLE: 'worker' }, 'ROLE must be both in embedded mode (without DATABASE_URL).'],
    [
      { CONFORMANCE: 'on', NODE_ENV: 'production' },
      'CONFORMANCE is for tests: it lets anyone act for anyone, and does not go with NODE_ENV=production.',
    ],
    [
      { FEDERATION: 'open', HOST: '0.0.0.0' },
      'FEDERATION needs PUBLIC_URL or FEDERATION_URL, which peers sign their requests for, as HOST is no address of one server.',
    ],
    [{ FEDERATION_TLS_CERT: 'cert.pem' }, 'FEDERATION_TLS_CERT and FEDERATION_TLS_KEY go together.'],
    [{ X509_CA_KEY: 'ca.pem' }, 'X509_CA_CERTIFICATE and X509_CA_KEY go together.'],
    [
      { PASSKEY_ATTESTATION: 'required' },
      'PASSKEY_ATTESTATION=required needs PASSKEY_ATTESTATION_ROOTS: without them an authenticator could attest itself.',
    ],
    [
      { PASSKEY_AAGUIDS: '01020304-0506-0708-0102-030405060708' },
      'PASSKEY_ATTESTATION_ROOTS and PASSKEY_AAGUIDS are for PASSKEY_ATTESTATION=required.',
    ],
    [{ PASSKEY_RP_IDS: 'https://a.example' }, 'PASSKEY_RP_IDS must be host names such as passkeys.example.com, separated by commas.'],
    [
      { PASSKEY_AAGUIDS: 'yubikey', PASSKEY_ATTESTATION: 'required', PASSKEY_ATTESTATION_ROOTS: 'roots.pem' },
      'PASSKEY_AAGUIDS must be AAGUIDs, separated by commas.',
    ],
    [{ FEDERATION_PEER_URLS: 'b.example' }, 'FEDERATION_PEER_URLS must be pairs such as b.example=https://10.0.0.2, separated by commas.'],
    [
      { FEDERATION_ALLOWED_RANGES: '10.0.0.0' },
      'FEDERATION_ALLOWED_RANGES must be address ranges such as b.example=10.0.0.0/8, separated by commas.',
    ],
    [{ MAX_BODY_BYTES: '1KiB' }, 'MAX_BODY_BYTES is smaller than one of MAX_COMMIT_BYTES, MAX_TREE_BYTES and MAX_MESSAGE_BYTES.'],
  ])('refuse %j with one plain sentence', (environment, sentence) => {
    expect(sentencesFor(environment as Record<string, string>)).toEqual([sentence])
  })

  it('name every wrong key at once, and no value', () => {
    const environment = { DATABASE_URL: 'mysql://user:hunter2@db', SERVER_SECRET: 'hunter2', REDIS_URL: 'hunter2' }
    const sentences = sentencesFor(environment)
    expect(sentences).toHaveLength(3)
    expect(sentences.join()).not.toContain('hunter2')
    expect(() => loadConfig(environment)).toThrow(/^The configuration is not usable:\n {2}- /)
  })

  it('accept a secret in base64 of both alphabets', () => {
    for (const secret of [SECRET, Buffer.alloc(32, 251).toString('base64url')]) {
      expect(loadConfig({ DATABASE_URL: 'postgres://u@h/d', SERVER_SECRET: secret }).SERVER_SECRET).toBe(secret)
    }
  })

  it('match docs/configuration.md', async () => {
    expect(await readFile(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')).toBe(configurationPage())
  })
})

describe('units', () => {
  it.each([
    ['0', 0],
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['90d', 7_776_000_000],
  ])('%s is %d ms, and back', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
    expect(parseDuration(formatDuration(ms))).toBe(ms)
  })
  it.each(['', '5', '-1s', '1.5h', '1w', 's', '0x10s'])('%j is no duration', (text) => expect(parseDuration(text)).toBeUndefined())
  it.each([
    ['512', 512],
    ['64KiB', 65_536],
    ['2MiB', 2_097_152],
  ])('%s is %d bytes, and back', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
    expect(formatSize(bytes)).toBe(text)
  })
})
