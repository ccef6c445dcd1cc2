import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import { findEmbeddedPostgres } from '../../src/app/embedded/embedded-postgres.js'
import { gone, isAlive, newFolder, postmasterPid, query, startEmbeddedServer, until } from './embedded-server.js'

describe('the embedded PostgreSQL of a server that was killed', () => {
  test.each(['SIGKILL', 'SIGABRT'] as const)('by %s ends within seconds, in order, with its data', async (signal) => {
    const folder = await newFolder()
    const killed = await startEmbeddedServer(folder, { graceSeconds: 0 })
    await query(killed.url, 'CREATE TABLE kept AS SELECT 42 AS n')
    const pid = (await postmasterPid(folder))!
    await killed.stop(signal)
    await gone(pid)
    // In order: a postmaster that is killed leaves its pid file.
    expect(await postmasterPid(folder)).toBeUndefined()

    const next = await startEmbeddedServer(folder)
    expect(next).toMatchObject({ url: killed.url, adopted: false })
    expect(await query(next.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }])
    expect(await next.stop()).toBe(0)
  })

  test('is left alone if the next server has taken it over, and ends with that one', async () => {
    const folder = await newFolder()
    const killed = await startEmbeddedServer(folder, { graceSeconds: 6 })
    const pid = (await postmasterPid(folder))!
    const watch = await watchOf(folder)
    await killed.kill9()
    const next = await startEmbeddedServer(folder, { graceSeconds: 0 })
    expect(next.adopted).toBe(true)
    await gone(watch)
    expect(isAlive(pid)).toBe(true)
    expect(await query(next.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    await next.kill9()
    await gone(pid)
  })

  test.each([1, 2, 3])('does not block a server that starts at the same moment (%i)', async () => {
    const folder = await newFolder()
    const killed = await startEmbeddedServer(folder, { graceSeconds: 0 })
    await query(killed.url, 'CREATE TABLE kept AS SELECT 42 AS n')
    await killed.kill9()
    const next = await startEmbeddedServer(folder)
    expect(next.error).toBeUndefined()
    await until(() =>
      query(next.url, 'SELECT n FROM kept').then(
        (rows) => rows.length === 1,
        () => false,
      ),
    )
    expect(await next.stop()).toBe(0)
    expect(await findEmbeddedPostgres({ DATA_DIR: folder })).toBeUndefined()
  })

  test('is ended as well if it had been started again under its server', async () => {
    const folder = await newFolder()
    const server = await startEmbeddedServer(folder, { graceSeconds: 0 })
    const first = (await postmasterPid(folder))!
    process.kill(first, 'SIGKILL')
    await until(() =>
      query(server.url, 'SELECT 1').then(
        () => true,
        () => false,
      ),
    )
    const second = (await postmasterPid(folder))!
    expect(second).not.toBe(first)
    // The watch of the second is there once the server owns it again.
    await until(async () => (await watchesOf(folder)).length === 1 && (await ownersOf(server.url)) === 1)
    await server.kill9()
    await gone(second)
  })
})

test('of a server that ends in order no watch is left, and no claim', async () => {
  const folder = await newFolder()
  const server = await startEmbeddedServer(folder)
  const watch = await watchOf(folder)
  expect(await server.stop('SIGINT')).toBe(0) // to the whole group, as Ctrl-C does
  await gone(watch)
  expect((await readdir(join(folder, 'postgres'))).filter((name) => name.startsWith('microchat-server'))).toEqual([])
})

async function ownersOf(url: string): Promise<number> {
  const rows = await query<{ n: number }>(url, `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'microchat-owner'`)
  return rows[0]?.n ?? 0
}

async function watchOf(folder: string): Promise<number> {
  let found: number[] = []
  await until(async () => (found = await watchesOf(folder)).length === 1)
  return found[0]!
}

/** Finds the watches by their command lines, as an operator would see them. */
async function watchesOf(folder: string): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid,args'], { maxBuffer: 2 ** 24 })
  return stdout
    .split('\n')
    .filter((line) => line.includes('microchat-orphan-watch') && line.includes(folder))
    .map((line) => Number.parseInt(line, 10))
}
