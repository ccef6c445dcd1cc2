import { chmod, chown, lstat, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { canRun, chooseSystemUser } from '../../src/app/embedded/system-user.js'
import { newFolder, postmasterPid, query, startEmbeddedServer } from './embedded-server.js'

const asRoot = process.getuid?.() === 0
const describeAsRoot = asRoot ? describe : describe.skip
const ordinary = asRoot ? chooseSystemUser('/nonexistent') : undefined
// A checkout in /root can be run by nobody else.
const testAsOrdinary = ordinary && canRun(ordinary, process.execPath) ? test : test.skip

describeAsRoot('run by root, the embedded PostgreSQL', () => {
  test('runs as an unprivileged user', async () => {
    const folder = await newFolder()
    await chmod(folder, 0o755)
    const server = await startEmbeddedServer(folder)
    const { uid } = await stat(`/proc/${await postmasterPid(folder)}`)
    expect(uid).not.toBe(0)
    expect((await stat(join(folder, 'postgres'))).uid).toBe(uid)
    expect(await server.stop()).toBe(0)
  })

  test('has its folder elsewhere if its user cannot reach DATA_DIR, and finds it again', async () => {
    const home = await newFolder() // mode 0700, like /root
    const folder = join(home, 'microchat/data')
    const first = await startEmbeddedServer(folder)
    expect(first.error).toBeUndefined()
    expect((await lstat(join(folder, 'postgres'))).isSymbolicLink()).toBe(true)
    expect((await stat(home)).mode & 0o777).toBe(0o700)
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS n')
    await first.stop()
    const second = await startEmbeddedServer(folder)
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }])
    await second.stop()
  })

  test('opens DATA_DIR for passing through if only that folder is closed', async () => {
    const home = await newFolder()
    await chmod(home, 0o755)
    const folder = join(home, 'data')
    await mkdir(folder, { mode: 0o700 })
    const server = await startEmbeddedServer(folder)
    expect((await stat(folder)).mode & 0o777).toBe(0o711)
    expect((await lstat(join(folder, 'postgres'))).isDirectory()).toBe(true)
    await server.stop()
  })

  test('says plainly whom a data folder belongs to that it cannot use', async () => {
    const folder = await newFolder()
    await mkdir(join(folder, 'postgres'))
    expect((await startEmbeddedServer(folder)).error).toMatch(/belongs to uid 0, which is no ordinary user/)
  })
})

describe('run by an ordinary user, the embedded PostgreSQL', () => {
  testAsOrdinary('runs as that user', async () => {
    const user = ordinary!
    const folder = await newFolder()
    await chown(folder, user.uid, user.gid)
    const server = await startEmbeddedServer(folder, user)
    expect(server.error).toBeUndefined()
    expect((await stat(`/proc/${await postmasterPid(folder)}`)).uid).toBe(user.uid)
    expect(await server.stop()).toBe(0)
  })
})
