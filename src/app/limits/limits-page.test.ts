import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { ConfigSchema } from '../../platform/config/config-schema.js'
import { changeLimits, numberOf } from '../../platform/limits/described-limit.js'
import { ALL_LIMITS, overrideLimits } from './all-limits.js'
import { limitsPage } from './limits-page.js'

const ROOT = new URL('../../../', import.meta.url)

it('docs/limits.md is what the tables say', () => {
  expect(readFileSync(new URL('docs/limits.md', ROOT), 'utf8')).toBe(limitsPage())
})

it('each limit has a name of its own, and a number or a setting that exists', () => {
  const names = ALL_LIMITS.map(({ name }) => name)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  const settings = Object.keys(ConfigSchema.shape)
  for (const { name, value, setting } of ALL_LIMITS) {
    expect({ name, known: setting === undefined ? value !== undefined : settings.includes(setting) }).toEqual({ name, known: true })
  }
})

it('LIMITS changes only limits without their own setting', () => {
  const row = { name: 'account-requests-in-flight', value: 128 }
  overrideLimits(new Map([[row.name, 2]]))
  expect(numberOf(row)).toBe(2)
  changeLimits(new Map())
  expect(numberOf(row)).toBe(128)
  expect(() => overrideLimits(new Map([['no-such-limit', 1]]))).toThrow('no-such-limit, which does not exist')
  expect(() => overrideLimits(new Map([['login', 1]]))).toThrow('LOGINS_PER_MINUTE')
  expect(() => overrideLimits(new Map([['operations-requests', 2]]))).toThrow('cannot be changed')
})

it('no number is read past LIMITS', () => {
  const files = readdirSync(new URL('src/', ROOT), { recursive: true, encoding: 'utf8' }).filter((file) => /(?<!\.test)\.ts$/.test(file))
  const past = files.filter(
    (file) => !file.startsWith('protocol/') && /\b[A-Z_]{5,}\.value\b/.test(readFileSync(new URL(`src/${file}`, ROOT), 'utf8')),
  )
  expect(past).toEqual([])
})

it('each rate limit that the sources define is in the table', () => {
  const files = readdirSync(new URL('src/', ROOT), { recursive: true, encoding: 'utf8' }).filter((file) => /(?<!\.test)\.ts$/.test(file))
  const defined = files.flatMap((file) => {
    const text = readFileSync(new URL(`src/${file}`, ROOT), 'utf8')
    return [...text.matchAll(/\{ name: ['`]([a-z-]+)(\$\{[a-z]+\})?['`],[^}]*points\b[^}]*seconds: /gi)].map(([, name = '']) => name)
  })
  expect(defined.length).toBeGreaterThan(10)
  const unknown = defined.filter(
    (name) => !ALL_LIMITS.some((limit) => limit.name === name || (name.endsWith('-') && limit.name.startsWith(name))),
  )
  expect(unknown).toEqual([])
})
