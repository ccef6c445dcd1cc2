import { afterEach, expect, it } from '@jest/globals'
import { World } from '../support/world.js'
import { describeDeployment, healthy, ServiceContainer } from './compose-project.js'

const NODES = ['api-1', 'api-2', 'worker']
const SERVICES = [...NODES, 'postgres', 'redis', 'proxy']

/** What a node answers to health and metrics on its two ports. */
const OPERATIONS = `
  const paths = ['/health/live', '/health/ready', '/metrics']
  const ask = async (port) => Promise.all(paths.map(async (path) => (await fetch('http://127.0.0.1:' + port + path)).status))
  Promise.all([8080, 9090].map(ask)).then((statuses) => console.log(JSON.stringify(statuses)))`

/** Prints the identity of the first process, as /proc says. */
const IDENTITY = `
  const { readFileSync, writeFileSync } = require('node:fs')
  const status = Object.fromEntries(readFileSync('/proc/1/status', 'utf8').split('\\n').map((line) => line.split(/:\\s+/)))
  const written = ['/tmp/x', '/app/x', '/x'].map((file) => { try { writeFileSync(file, ''); return file } catch (error) { return error.code } })
  console.log(JSON.stringify({ uid: status.Uid.split('\\t')[0], capabilities: BigInt('0x' + status.CapPrm).toString(), noNewPrivs: status.NoNewPrivs, written }))`

const run = async (service: string, ...command: string[]) => (await ServiceContainer.of(service)).run(...command)

async function networksOf(service: string): Promise<string[]> {
  const { NetworkSettings } = await (await ServiceContainer.of(service)).inspect()
  return Object.keys(NetworkSettings.Networks)
}

describeDeployment('the containers', () => {
  let world: World | undefined
  afterEach(() => world?.disconnect())

  it.each(NODES)('%s is nobody in particular and can write to /tmp only', async (service) => {
    expect(JSON.parse(await run(service, 'node', '--eval', IDENTITY))).toEqual({
      uid: '1000',
      capabilities: '0',
      noNewPrivs: '1',
      written: ['/tmp/x', 'EROFS', 'EROFS'],
    })
  })

  it.each(SERVICES)(
    '%s has a read-only root, no spare capability, a limit of memory, and logs that do not grow forever',
    async (service) => {
      const { HostConfig: host } = await (await ServiceContainer.of(service)).inspect()
      expect(host).toMatchObject({
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges:true'],
        RestartPolicy: { Name: 'unless-stopped' },
        LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } },
      })
      const added = ((host.CapAdd ?? []) as string[]).map((capability) => capability.replace(/^CAP_/, ''))
      expect(added).toEqual(service === 'proxy' ? ['NET_BIND_SERVICE'] : [])
      expect(host.Memory).toBeGreaterThan(0)
    },
  )

  it.each(NODES)('%s has health and metrics on a port of their own, and not on the one that the proxy leads to', async (service) => {
    expect(JSON.parse(await run(service, 'node', '--eval', OPERATIONS))).toEqual([
      [404, 404, 404],
      [200, 200, 200],
    ])
  })

  it('the proxy and the database share no network, and that of the database leads nowhere else', async () => {
    const proxy = await networksOf('proxy')
    const database = await networksOf('postgres')
    expect(database.filter((network) => proxy.includes(network))).toEqual([])
    expect(await networksOf('redis')).toEqual(database)
    const container = await ServiceContainer.of('postgres')
    for (const network of database) expect(await container.isInternal(network)).toBe(true)
  })

  it('a node with open streams ends by itself, before its container is killed', async () => {
    world = new World(process.env['TEST_SERVER_URL'] ?? '', process.env['TEST_SERVER_DOMAIN'])
    const crowd = await world.cast('alice', 'bob', 'carol', 'dave', 'erin', 'frank')
    for (const client of crowd) await client.until('its stream', () => client.lives > 0)
    const container = await ServiceContainer.of('api-1')
    await container.stop()
    expect((await container.inspect()).State.ExitCode).toBe(0)
    for (const client of crowd) await client.until('a stream to the other node', () => client.stream?.open === true)
    await container.start()
    await healthy('api-1')
  })
})
