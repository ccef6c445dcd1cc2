import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  gone,
  isAlive,
  newFolder,
  postmasterPid,
  query,
  queryWhenUp,
  scriptArguments,
  startEmbeddedServer,
  until,
} from './embedded-server.js'

describe('after kill -9', () => {
  test('of the server, the next one adopts its PostgreSQL and stops it in the end', async () => {
    const folder = await newFolder()
    const killed = await startEmbeddedServer(folder, { graceSeconds: 20 })
    await query(killed.url, 'CREATE TABLE kept AS SELECT 42 AS n')
    const pid = await postmasterPid(folder)
    await killed.kill9()
    expect(isAlive(pid!)).toBe(true)

    const next = await startEmbeddedServer(folder)
    expect(next).toMatchObject({ url: killed.url, adopted: true })
    expect(await postmasterPid(folder)).toBe(pid)
    expect(await query(next.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }])
    expect(await next.stop()).toBe(0)
    await gone(pid!)
  })

  test('of the server and PostgreSQL, the next start recovers what was committed', async () => {
    const folder = await newFolder()
    const killed = await startEmbeddedServer(folder)
    await query(killed.url, 'CREATE TABLE kept AS SELECT 42 AS n')
    const pid = await postmasterPid(folder)
    await killed.kill9()
    process.kill(pid!, 'SIGKILL')

    const next = await startEmbeddedServer(folder)
    expect(next).toMatchObject({ adopted: false })
    expect(await postmasterPid(folder)).not.toBe(pid)
    expect(await query(next.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }])
    expect(await next.stop()).toBe(0)
  })

  test('of PostgreSQL under a living server, it comes back on the same port', async () => {
    const folder = await newFolder()
    const server = await startEmbeddedServer(folder)
    await query(server.url, 'CREATE TABLE kept AS SELECT 42 AS n')
    process.kill((await postmasterPid(folder))!, 'SIGKILL')
    expect(await queryWhenUp(server.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }])
    expect(await server.stop()).toBe(0)
    expect(await postmasterPid(folder)).toBeUndefined()
  })

  test('of PostgreSQL, a pid file that names another living process does not prevent the start', async () => {
    const folder = await newFolder()
    const killed = await startEmbeddedServer(folder)
    const file = join(folder, 'postgres/postmaster.pid')
    const pid = await postmasterPid(folder)
    await killed.kill9()
    const stale = await readFile(file, 'utf8')
    process.kill(pid!, 'SIGKILL')
    await gone(pid!)
    // Of PostgreSQL's own user: it takes a process of anybody else's for a leftover by itself.
    const { uid, gid } = await stat(file)
    const other = spawn('sleep', ['60'], { uid, gid, cwd: '/' })
    await writeFile(file, stale.replace(/^\d+/, String(other.pid)))

    const next = await startEmbeddedServer(folder)
    expect(next.error).toBeUndefined()
    expect(isAlive(other.pid!)).toBe(true)
    expect(await next.stop()).toBe(0)
    other.kill()
  })

  test('in the middle of the first start, the next one begins again and leaves no rubbish', async () => {
    const folder = await newFolder()
    const child = spawn(process.execPath, scriptArguments(folder), { stdio: 'ignore' })
    await until(async () => (await readdir(folder)).some((name) => name.startsWith('postgres.making-')))
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await readdir(folder)).not.toContain('postgres')

    const next = await startEmbeddedServer(folder)
    expect(next.error).toBeUndefined()
    expect(await next.stop()).toBe(0)
    expect(await readdir(folder)).toEqual(['postgres'])
  })
})
