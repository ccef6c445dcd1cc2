import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { findEmbeddedPostgres } from '../../src/app/embedded/embedded-postgres.js'
import { gone, newFolder, postmasterPid, query, startEmbeddedServer } from './embedded-server.js'

describe('the embedded PostgreSQL', () => {
  test('is made at the first start, and found again with its data and port by the next', async () => {
    const folder = await newFolder()
    const first = await startEmbeddedServer(folder)
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS n')
    expect(await first.stop()).toBe(0)

    const second = await startEmbeddedServer(folder)
    expect(second).toMatchObject({ url: first.url, adopted: false })
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }])
    expect(await second.stop()).toBe(0)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('lets the server use it after %s, and ends with it', async (signal) => {
    const folder = await newFolder()
    const server = await startEmbeddedServer(folder)
    const pid = await postmasterPid(folder)
    expect(await server.stop(signal)).toBe(0) // the script queries once more after the signal, then stops
    await gone(pid!)
    expect(await postmasterPid(folder)).toBeUndefined()
  })

  test('answers only on the loopback interface, only with its password, which only its owner can read', async () => {
    const folder = await newFolder()
    const server = await startEmbeddedServer(folder)
    const rows = await query(
      server.url,
      `SELECT current_setting('listen_addresses') AS at, rolsuper FROM pg_roles WHERE rolname = current_user`,
    )
    expect(rows).toEqual([{ at: '127.0.0.1', rolsuper: false }])
    await expect(query(server.url.replace(/:[^:@]+@/, ':guess@'), 'SELECT 1')).rejects.toThrow(/password authentication failed/)
    expect((await stat(join(folder, 'postgres'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(folder, 'postgres/microchat.json'))).mode & 0o777).toBe(0o600)
    await server.stop()
  })

  test('can be found by the command line while a server runs it', async () => {
    const folder = await newFolder()
    expect(await findEmbeddedPostgres({ DATA_DIR: folder })).toBeUndefined()
    const server = await startEmbeddedServer(folder)
    expect(await findEmbeddedPostgres({ DATA_DIR: folder })).toBe(server.url)
    await server.stop()
    expect(await findEmbeddedPostgres({ DATA_DIR: folder })).toBeUndefined()
  })

  test('serves one server only: a second one on the same folder says so and does no harm', async () => {
    const folder = await newFolder()
    const first = await startEmbeddedServer(folder)
    const second = await startEmbeddedServer(folder)
    expect(second.error).toMatch(/Another MicroChat server is using/)
    expect(await query(first.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    expect(await first.stop()).toBe(0)
  })

  test('is made once when two servers start at the same time in a new folder', async () => {
    const folder = await newFolder()
    const both = await Promise.all([startEmbeddedServer(folder), startEmbeddedServer(folder)])
    const started = both.filter(({ error }) => error === undefined)
    expect(started).toHaveLength(1)
    await Promise.all(started.map((server) => server.stop()))
    expect(await postmasterPid(folder)).toBeUndefined()
  })
})
