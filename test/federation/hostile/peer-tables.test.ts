import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'

const ROOT = new URL('../../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')

/** Tables into which no request or answer of a peer puts anything. */
const OF_THIS_SERVER = new Set([
  ...['_prisma_migrations', 'function_file', 'deployment', 'external_sender_key', 'provider_key', 'token_signing_key', 'x509_authority'],
  ...['issuer_key', 'challenge', 'invite', 'refresh_token', 'signature_key', 'key_package', 'unsearchable_account', 'asking_account'],
  ...[
    'accepted_room',
    'device_list',
    'device_list_entry',
    'device_certificate',
    'pending_list_change',
    'user_block',
    'room_delivery',
    'group_remains',
  ],
  ...['passed_commit', 'provider_directory'],
])

/** The rows of the table in docs/threat-model.md. */
function rows(): string[][] {
  const [, section = ''] = read('docs/threat-model.md').split('### What a peer can have stored')
  const [page = ''] = section.split('\n## ')
  const lines = page.split('\n').filter((line) => line.startsWith('| `'))
  return lines.map((line) => line.split('|').map((cell) => cell.trim()))
}

const named = (cell = '') => [...cell.matchAll(/`([a-z0-9_]+)`/g)].map(([, name = '']) => name)

it('the table of what a peer can have stored has every table but those of this server alone', () => {
  const all = [...read('prisma/schema.sql').matchAll(/^CREATE TABLE (\w+) \(/gm)].map(([, name = '']) => name)
  const tables = all.filter((name) => !/_\d+$/.test(name))
  const listed = new Set(rows().flatMap(([, cell]) => named(cell)))
  expect(tables.filter((table) => !listed.has(table) && !OF_THIS_SERVER.has(table))).toEqual([])
  expect([...listed, ...OF_THIS_SERVER].filter((table) => !tables.includes(table))).toEqual([])
})

it('each of its rows names a test that is there', () => {
  for (const [, tables, , tests = ''] of rows()) {
    const files = [...tests.matchAll(/`(test\/[^`]+)`/g)].map(([, file = '']) => file)
    expect([tables, files.length > 0, files.filter((file) => !existsSync(new URL(file, ROOT)))]).toEqual([tables, true, []])
  }
})

it('each limit that it names by its name is one of docs/limits.md', () => {
  const limits = new Set([...read('docs/limits.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name = '']) => name))
  const unknown = rows().flatMap(([, , bound = '']) =>
    [...bound.matchAll(/`([a-z-]+)`/g)].map(([, name = '']) => name).filter((name) => !limits.has(name)),
  )
  expect(unknown).toEqual([])
})
