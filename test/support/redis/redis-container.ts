import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers'
import { freePort } from '../free-port.js'

const IMAGE = 'redis:7-bookworm'
const PORT = 6379

/** Redis in a container, for machines with Docker and no redis-server. */
export async function startRedisContainer() {
  const port = await freePort()
  const start = () =>
    new GenericContainer(IMAGE)
      .withExposedPorts({ container: PORT, host: port })
      .withCommand(['redis-server', '--save', '', '--appendonly', 'no', '--protected-mode', 'no', '--bind', '0.0.0.0'])
      .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
      .start()
  let container = await start()
  const runtime = await getContainerRuntimeClient()
  const handle = () => runtime.container.getById(container.getId())
  return {
    url: `redis://${container.getHost()}:${port}`,
    pause: async () => void (await handle().pause()),
    resume: async () => void (await handle().unpause()),
    kill: async () => void (await container.stop({ remove: true, timeout: 0 })),
    startAgain: async () => void (container = await start()),
  }
}
