import { afterEach, describe, expect, it } from '@jest/globals'
import { NoAnswer, ServerProblem } from '../../examples/client/http.js'
import { TestDevice } from '../authentication/device-fixture.js'
import { StreamClient } from '../delivery/stream-client.js'
import { useTestDatabase } from '../support/database.js'
import { spawnServer, type SpawnedServer } from '../support/server.js'
import { at, GENEROUS, World } from '../support/world.js'

const SPEAKERS = 6
const STREAMS = 40

describe('a process that is asked to stop', () => {
  const database = useTestDatabase()
  let server: SpawnedServer | undefined
  let world: World | undefined
  afterEach(async () => {
    await world?.disconnect()
    await server?.stop('SIGKILL')
  })

  const start = async (settings: Record<string, string> = {}) => {
    server = await spawnServer(database.url, { ...GENEROUS, LOG_LEVEL: 'info', ...settings })
    return server
  }

  it('answers whatever it accepted, refuses the rest, and leaves in order', async () => {
    const node = await start()
    world = new World(node.url, 'localhost', 0)
    const speakers = await world.cast(...Array.from({ length: SPEAKERS }, (_, index) => `speaker${index}`))
    const [first, ...others] = speakers
    const group = await world.group(first!, others)
    let accepted = 0
    const refusals: unknown[] = []
    const enough = Promise.withResolvers<void>()
    const talk = speakers.map(async (speaker) => {
      for (let index = 0; refusals.length < SPEAKERS; index++) {
        try {
          await at(speaker, group).send(`${index}`)
          if (++accepted === 10 * SPEAKERS) enough.resolve()
        } catch (refusal) {
          return void refusals.push(refusal)
        }
      }
    })
    await enough.promise
    expect(await node.stop('SIGTERM')).toBe(0)
    await Promise.all(talk)
    // Nobody is left in doubt: the connection was refused, or the server said that it goes away.
    for (const refusal of refusals) {
      expect(refusal instanceof NoAnswer || (refusal instanceof ServerProblem && refusal.status === 503)).toBe(true)
    }
    const { rows } = await database.pool.query<{ count: bigint }>("SELECT count(*) FROM log WHERE kind = 'a'")
    expect(Number(rows[0]?.count)).toBe(accepted)
    expect(node.output()).not.toContain('not everything could be ended in order')
  })

  it('sends every stream elsewhere with 1012, and not all at once', async () => {
    const node = await start({ SHUTDOWN_GRACE: '4s' })
    const devices = await Promise.all(Array.from({ length: STREAMS }, () => TestDevice.registered(node.url)))
    const streams = await Promise.all(devices.map((device) => StreamClient.connect(node.wsUrl, 0n, { token: device.accessToken ?? '' })))
    await Promise.all(streams.map((stream) => stream.live()))
    const some = Promise.withResolvers<void>()
    for (const stream of streams) {
      stream.socket.once('close', () => (streams.filter(({ closed }) => closed).length === STREAMS / 4 ? some.resolve() : undefined))
    }
    const stopping = node.stop('SIGTERM')
    // When some have left, others are still served.
    await some.promise
    const open = streams.filter(({ closed }) => !closed)
    for (const stream of open) stream.send({ t: 'ping', n: 1 })
    await Promise.all(streams.map(async (stream) => expect(await stream.code()).toBe(1012)))
    expect(await stopping).toBe(0)
    expect(open.filter((stream) => stream.of('pong').length > 0).length).toBeGreaterThan(STREAMS / 4)
    await expect(fetch(`${node.url}/health/live`)).rejects.toThrow()
  })
})
