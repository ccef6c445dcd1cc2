import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { directoriesBetween, forgetDirectories, keepDirectory } from '../../../src/federation/evidence/kept-directories.repository.js'
import { SignedKeyDirectory } from '../../../src/federation/identity/directory-document.js'
import { MAX_DIRECTORIES } from '../../../src/protocol/evidence/document.js'
import { useTestDatabase } from '../../support/database.js'

// A hub that changes its keys again and again, so that no file can lead from the key of one head to the key of the other.

const database = useTestDatabase()

const HOUR = 3_600
const documentOf = (domain: string, number: number) => ({ payload: `${domain} ${number}`, signatures: [] })
const hashOf = (domain: string, number: number) =>
  createHash('sha256')
    .update(JSON.stringify(documentOf(domain, number)))
    .digest()

/** Shows the directory with this number, which has other keys than the one before. @returns whether it is believed */
function show(domain: string, number: number): Promise<boolean> {
  const issued = Math.floor(Date.now() / 1000) + number
  const content = { domain, issued_at: issued, expires_at: issued + 240 * HOUR, keys: [{ kid: `key-${number}`, x: 'x', nbf: 0 }] }
  return keepDirectory(database.pool, documentOf(domain, number), content)
}

const later = (domain: string, days: number) =>
  database.pool.query("UPDATE kept_directory SET kept_at = kept_at - $2 * interval '1 day' WHERE domain = $1", [domain, days])

describe('the keys of a provider change', () => {
  it('24 times in a day at most', async () => {
    for (let number = 0; number < 24; number++) expect(await show('day.example', number)).toBe(true)
    expect(await show('day.example', 24)).toBe(false)
    await later('day.example', 1)
    expect(await show('day.example', 24)).toBe(true)
  })

  it('as often in 400 days as a file of evidence has room for, which then leads through all of them', async () => {
    const most = MAX_DIRECTORIES - 2
    for (let number = 0; number < most; number++) {
      if (number % 24 === 0) await later('slow.example', 1)
      expect(await show('slow.example', number)).toBe(true)
    }
    await later('slow.example', 1)
    expect(await show('slow.example', most)).toBe(false)
    const documents = await directoriesBetween(database.pool, 'slow.example', [hashOf('slow.example', 0), hashOf('slow.example', most - 1)])
    expect(documents).toEqual(Array.from({ length: most }, (_, number) => JSON.stringify(documentOf('slow.example', number))))
  })
})

it('directories of one and the same key that end soon, each another one, are kept once in half an hour', async () => {
  const domain = 'short.example'
  const showShort = (number: number) => {
    const issued = Math.floor(Date.now() / 1000) + number
    const content = { domain, issued_at: issued, expires_at: issued + HOUR / 3, keys: [{ kid: 'key', x: 'x', nbf: 0 }] }
    return keepDirectory(database.pool, documentOf(domain, number), content)
  }
  const kept = async () => (await database.pool.query('SELECT FROM kept_directory WHERE domain = $1', [domain])).rowCount
  // A peer is asked again every ten seconds where somebody names keys that it does not have: its own user, if it likes.
  for (let number = 0; number < 50; number++) expect(await showShort(number)).toBe(true)
  expect(await kept()).toBe(1)
  await database.pool.query("UPDATE kept_directory SET kept_at = kept_at - interval '30 minutes' WHERE domain = $1", [domain])
  expect(await showShort(50)).toBe(true)
  expect(await kept()).toBe(2)
  // The first one brought the key in.
  await later(domain, 8)
  await forgetDirectories(database.pool)
  expect(await kept()).toBe(1)
  await later(domain, 393)
  await forgetDirectories(database.pool)
  expect(await kept()).toBe(0)
})

it('directories are no longer than some 64 KiB', () => {
  const signature = { signature: 's'.repeat(256), protected: 'p'.repeat(256) }
  const read = (payload: number, signatures: number) =>
    SignedKeyDirectory.safeParse({ payload: 'x'.repeat(payload), signatures: Array.from({ length: signatures }, () => signature) }).success
  expect(read(32_768, 64)).toBe(true)
  expect([read(32_769, 64), read(32_768, 65)]).toEqual([false, false])
})
