import { expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, newFolder, postmasterPid, startEmbeddedServer, until } from './embedded-server.js'

test.each([0, 5, 10, 20, 40, 80])(
  'a server ends, and its PostgreSQL, though that is just coming back from kill -9 (%i ms later)',
  async (ms) => {
    const folder = await newFolder()
    const server = await startEmbeddedServer(folder)
    const killed = (await postmasterPid(folder))!
    process.kill(killed, 'SIGKILL')
    // The next one is on its way; its owner has yet to connect.
    await until(async () => ((await postmasterPid(folder)) ?? killed) !== killed)
    const next = (await postmasterPid(folder))!
    await delay(ms)
    expect(await server.stop()).toBe(0)
    await until(() => !isAlive(next))
    expect(await postmasterPid(folder)).toBeUndefined()
  },
)
