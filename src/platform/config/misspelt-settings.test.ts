import { describe, expect, it } from '@jest/globals'
import { misspeltSettings } from './misspelt-settings.js'

describe('a variable that is no setting', () => {
  it.each([
    ['DATABSE_URL', 'DATABASE_URL'],
    ['DOMIAN_', undefined],
    ['DOMAN', 'DOMAIN'],
    ['database_url', 'DATABASE_URL'],
    ['LOG-LEVEL', 'LOG_LEVEL'],
    ['TRUSTED_PROXY', 'TRUST_PROXY'],
    ['RETENTION_HANDSHAKES', 'RETENTION_HANDSHAKE'],
    ['MICROCHAT_DOMAIN', 'DOMAIN'],
    ['PORTS', 'PORT'],
  ])('%s: is %s meant?', (name, meant) => {
    expect(misspeltSettings({ [name]: 'hunter2' })).toEqual(meant === undefined ? [] : [`${name} is no setting. Is ${meant} meant?`])
  })

  it('is named where its beginning is one of this server', () => {
    expect(misspeltSettings({ FEDERATION_PARTNERS: 'hunter2' })).toEqual([
      'FEDERATION_PARTNERS is no setting (docs/configuration.md lists them).',
    ])
  })

  it.each([
    'HOME',
    'HOSTNAME',
    'PATH',
    'PWD',
    'SHLVL',
    'TERM',
    'USER',
    'LANG',
    'NODE_ENV',
    'NODE_OPTIONS',
    'PGHOST',
    'PGPORT',
    'REDIS_PORT',
    'REDIS_SERVICE_HOST',
    'POSTGRES_URL',
    'OTEL_SERVICE_NAME',
    'npm_config_cache',
    'XDG_DATA_DIRS',
  ])('%s is nobody’s mistake', (name) => {
    expect(misspeltSettings({ [name]: 'x' })).toEqual([])
  })

  it('is none where it is empty, or where the setting that it resembles is set', () => {
    expect(misspeltSettings({ DOMAINS: '' })).toEqual([])
    expect(misspeltSettings({ DOMAINS: 'x', DOMAIN: 'a.example' })).toEqual([])
    expect(misspeltSettings({ DOMAIN: 'a.example', PORT: '80' })).toEqual([])
  })
})
