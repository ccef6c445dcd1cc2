import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { ConfigSchema } from '../platform/config/config-schema.js'
import { ALL_LIMITS, limitsPage } from './limits-page.js'

const ROOT = new URL('../../', import.meta.url)

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

it('each rate limit that the sources define stands in the table', () => {
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
