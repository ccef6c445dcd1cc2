import { describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../config/config.js'
import { deploymentBudget, poolSize, processBudget } from './budget.js'
import { excessesOf } from './check.js'
import type { ConnectionLimits } from './limits.js'

const DIRECT = { DATABASE_URL: 'postgres://u@db/x', SERVER_SECRET: Buffer.alloc(32, 7).toString('base64') }
const POOLED = { ...DIRECT, DATABASE_URL: 'postgres://u@pooler/x', DIRECT_DATABASE_URL: 'postgres://u@db/x' }
const REDIS = { REDIS_URL: 'redis://r' }

const limits = (overrides: Partial<ConnectionLimits> = {}): ConnectionLimits => ({
  server: 97,
  maxConnections: 100,
  reserved: 3,
  role: { name: 'u', limit: undefined },
  database: { name: 'x', limit: undefined },
  ...overrides,
})

describe('the connections of one process', () => {
  it.each([
    [
      { ROLE: 'api', ...REDIS },
      { pooled: 14, direct: 0 },
    ],
    [
      { ROLE: 'worker', ...REDIS },
      { pooled: 9, direct: 0 },
    ],
    [
      { ROLE: 'both', ...REDIS },
      { pooled: 14, direct: 0 },
    ],
    [{ ROLE: 'api' }, { pooled: 14, direct: 3 }],
    [{ ROLE: 'worker' }, { pooled: 9, direct: 7 }],
    [{ ROLE: 'both' }, { pooled: 14, direct: 7 }],
    [
      { ROLE: 'api', PG_POOL_API: '20', PG_POOL_WORKER: '4', ...REDIS },
      { pooled: 24, direct: 0 },
    ],
    [
      { ROLE: 'worker', PG_POOL_API: '20', PG_POOL_WORKER: '4', ...REDIS },
      { pooled: 8, direct: 0 },
    ],
  ])('with %j are %j', (settings, expected) => {
    expect(processBudget(loadConfig({ ...DIRECT, ...(settings as Record<string, string>) }))).toEqual(expected)
  })
  it('include the claim to the data folder in the embedded mode', () => {
    expect(processBudget({ ...loadConfig({}), embedded: true })).toEqual({ pooled: 14, direct: 8 })
  })
  it('are shared out by role', () => {
    expect(poolSize(loadConfig({ ...DIRECT, ROLE: 'both', PG_POOL_API: '7', PG_POOL_WORKER: '3' }))).toBe(7)
    expect(poolSize(loadConfig({ ...DIRECT, ROLE: 'worker', PG_POOL_API: '7', PG_POOL_WORKER: '3' }))).toBe(3)
  })
})

describe('the connections of a deployment', () => {
  const nodes = { API_NODES: '3', WORKER_NODES: '2' }

  it.each(['api', 'worker'])('are the same, whichever process counts them: %s', (ROLE) => {
    expect(deploymentBudget(loadConfig({ ...DIRECT, ...REDIS, ...nodes, ROLE }))).toMatchObject({
      throughPooler: false,
      onPostgres: 3 * 14 + 2 * 9 + 2,
      onPooler: 0,
    })
  })
  it('count the jobs of every process where those are in PostgreSQL', () => {
    expect(deploymentBudget(loadConfig({ ...DIRECT, ...nodes, ROLE: 'api' })).onPostgres).toBe(3 * 17 + 2 * 16 + 2)
  })
  it('are the pooler’s, except those that go past it', () => {
    const withRedis = deploymentBudget(loadConfig({ ...POOLED, ...REDIS, ...nodes, ROLE: 'api' }))
    expect(withRedis).toMatchObject({ throughPooler: true, onPostgres: 2, onPooler: 3 * 14 + 2 * 9 })
    const without = deploymentBudget(loadConfig({ ...POOLED, ...nodes, ROLE: 'api' }))
    expect(without).toMatchObject({ throughPooler: true, onPostgres: 3 * 3 + 2 * 7 + 2, onPooler: 3 * 14 + 2 * 9 })
  })
  it('count the process that asks, also if WORKER_NODES forgot it', () => {
    const { roles } = deploymentBudget(loadConfig({ ...DIRECT, ...REDIS, ROLE: 'worker' }))
    expect(roles.map(({ role, nodes }) => [role, nodes])).toEqual([
      ['api', 1],
      ['worker', 1],
    ])
  })
  it('take a DIRECT_DATABASE_URL that says the same for no pooler', () => {
    expect(deploymentBudget(loadConfig({ ...DIRECT, DIRECT_DATABASE_URL: DIRECT.DATABASE_URL })).throughPooler).toBe(false)
  })
})

describe('whether they fit', () => {
  const excesses = (settings: Record<string, string>, given: ConnectionLimits) => {
    const config = loadConfig({ ...DIRECT, ROLE: 'api', ...REDIS, ...settings })
    return excessesOf(deploymentBudget(config), given, config)
  }

  it('is decided to the connection', () => {
    // 7 × 14 + 2
    expect(excesses({ API_NODES: '7' }, limits({ server: 100 }))).toEqual([])
    expect(excesses({ API_NODES: '7' }, limits({ server: 99 }))).toHaveLength(1)
  })
  it('is said in one sentence with the numbers and what to change', () => {
    expect(excesses({ API_NODES: '8', WORKER_NODES: '3' }, limits())).toEqual([
      'PostgreSQL gives this deployment 97 connections (max_connections 100 less 3 reserved), and it may open 141: ' +
        '8 api processes with 14 each, 3 worker processes with 9 each, and 2 for migrations and commands. ' +
        'Lower PG_POOL_API (10), PG_POOL_WORKER (5), API_NODES (8) or WORKER_NODES (3), put a pooler in between, or raise max_connections.',
    ])
  })
  it('asks the limits of the role and of the database as well', () => {
    const found = excesses({}, limits({ role: { name: 'chat', limit: 15 }, database: { name: 'x', limit: 10 } }))
    expect(found).toEqual([
      expect.stringContaining('15 connections (role chat), and it may open 16: 1 api process with 14 each'),
      expect.stringContaining('raise ALTER DATABASE x CONNECTION LIMIT'),
    ])
    expect(excesses({}, limits({ role: { name: 'chat', limit: 16 } }))).toEqual([])
  })
  it('is asked of PostgreSQL only for what goes past a pooler', () => {
    expect(excesses({ ...POOLED, API_NODES: '100' }, limits())).toEqual([])
    const [sentence] = excesses({ ...POOLED, API_NODES: '100', REDIS_URL: '' }, limits())
    expect(sentence).toContain('100 api processes with 3 each')
    expect(sentence).toContain('Set REDIS_URL, so that jobs leave PostgreSQL')
  })
})
