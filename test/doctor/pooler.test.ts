import { afterEach, expect, it } from '@jest/globals'
import { useTestDatabase } from '../support/database.js'
import {
  describeWithPgbouncer,
  describeWithTrackingPgbouncer,
  startPgbouncer,
  type PgbouncerOptions,
  type TestPgbouncer,
} from '../support/pgbouncer.js'
import { examined, soundSettings } from './doctor-fixture.js'

const database = useTestDatabase()
let pooler: TestPgbouncer | undefined
afterEach(() => pooler?.stop())

async function behind(options: PgbouncerOptions, overrides: Record<string, string>) {
  pooler = await startPgbouncer(database.url, options)
  return examined(soundSettings(pooler.url, { DIRECT_DATABASE_URL: database.url, ...overrides }))
}

it('the doctor sees that there is no pooler, and what PG_PREPARE=off then costs', async () => {
  expect((await examined(soundSettings(database.url))).of('pooler')).toEqual(['ok: DATABASE_URL leads to PostgreSQL itself.'])
  expect((await examined(soundSettings(database.url, { PG_PREPARE: 'off' }))).of('pooler')).toContainEqual(
    expect.stringMatching(/^warning: PG_PREPARE is off without a pooler/),
  )
})

describeWithPgbouncer('the doctor, through pgbouncer', () => {
  it('finds out that named statements are lost', async () => {
    const { code, of } = await behind({ size: 4 }, { PG_PREPARE: 'on' })
    expect(of('pooler')).toEqual([expect.stringMatching(/^problem: DATABASE_URL leads through a pooler that loses named statements/)])
    expect(code).toBe(1)
  })
  it('finds it out with a single server connection as well', async () => {
    expect((await behind({ size: 1 }, { PG_PREPARE: 'on' })).of('pooler')).toEqual([expect.stringMatching(/^problem: .* loses named/)])
  })
  it('is content without named statements', async () => {
    const { of } = await behind({ size: 4 }, { PG_PREPARE: 'off' })
    expect(of('pooler')).toEqual(['ok: DATABASE_URL leads through a pooler, without named statements.'])
    expect(of('connections')).toContainEqual(expect.stringMatching(/^ok: Up to 14 more go to the pooler\. Its own limits are yours/))
  })
  it('wants DIRECT_DATABASE_URL to go past it', async () => {
    for (const DIRECT_DATABASE_URL of ['', 'same']) {
      pooler = await startPgbouncer(database.url, { size: 4 })
      const direct = DIRECT_DATABASE_URL && `${pooler.url}?application_name=x`
      const { code, of } = await examined(soundSettings(pooler.url, { PG_PREPARE: 'off', DIRECT_DATABASE_URL: direct }))
      expect(of('pooler')).toContainEqual(expect.stringMatching(/^problem: DIRECT_DATABASE_URL must lead to PostgreSQL itself/))
      expect(code).toBe(1)
      await pooler.stop()
    }
  })
})

describeWithTrackingPgbouncer('the doctor, through pgbouncer 1.21 or newer', () => {
  it('sees that named statements are tracked', async () => {
    const { code, of } = await behind({ size: 4, prepared: 100 }, { PG_PREPARE: 'on' })
    expect(of('pooler')).toEqual([expect.stringMatching(/^ok: DATABASE_URL leads through a pooler that tracks named statements/)])
    expect(code).toBe((await database.pool.query<{ fsync: string }>('SHOW fsync')).rows[0]?.fsync === 'on' ? 0 : 1)
  })
})
