import { describe } from '@jest/globals'
import { getContainerRuntimeClient } from 'testcontainers'
import { eventually } from '../support/eventually.js'

const project = process.env['TEST_COMPOSE_PROJECT']

/** Skipped, by name, where no deployment of docker-compose.yml is up for tests: `npm run test:deployment` makes one. */
export const describeDeployment = project ? describe : describe.skip

const ALREADY_SO = 304

/** The one container of a service, running or not, by the engine's API. */
export class ServiceContainer {
  private constructor(
    private readonly runtime: Awaited<ReturnType<typeof getContainerRuntimeClient>>,
    private readonly id: string,
  ) {}

  static async of(service: string): Promise<ServiceContainer> {
    const runtime = await getContainerRuntimeClient()
    const label = [`com.docker.compose.project=${project}`, `com.docker.compose.service=${service}`]
    const found = await runtime.container.dockerode.listContainers({ all: true, filters: { label } })
    const [first] = found
    if (!first || found.length > 1) throw new Error(`There are ${found.length} containers of ${service} in the project ${project}`)
    return new ServiceContainer(runtime, first.Id)
  }

  private get container() {
    return this.runtime.container.getById(this.id)
  }

  /** What the engine says of it, as `docker inspect` prints it. */
  inspect() {
    return this.container.inspect()
  }

  /** Starts the service; does nothing if it runs already. */
  async start(): Promise<void> {
    await this.container.start().catch((error: { statusCode?: number }) => {
      if (error.statusCode !== ALREADY_SO) throw error
    })
  }

  async stop(): Promise<void> {
    await this.container.stop()
  }

  async restart(): Promise<void> {
    await this.container.restart()
  }

  /** Returns once it has ended. */
  async kill(signal = 'SIGKILL'): Promise<void> {
    await this.container.kill({ signal })
    await this.container.wait()
  }

  /** Runs a program inside. @returns what it writes to its standard output */
  async run(...command: string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await this.runtime.container.exec(this.container, command)
    if (exitCode !== 0) throw new Error(`${command[0]} ended with ${exitCode}: ${stderr}`)
    return stdout.trim()
  }

  /** Everything that it has written. */
  async log(): Promise<string> {
    return joined(await this.container.logs({ stdout: true, stderr: true, follow: false }))
  }

  /** Whether a network leads nowhere but to its members. */
  async isInternal(network: string): Promise<boolean> {
    const { Internal } = (await this.runtime.container.dockerode.getNetwork(network).inspect()) as { Internal: boolean }
    return Internal
  }
}

const FRAME_HEAD = 8

/** Output of a container without a terminal comes in frames: a stream number, three zeros, a length, the bytes. */
function joined(frames: Buffer): string {
  const parts: Buffer[] = []
  for (let at = 0; at < frames.length;) {
    const end = at + FRAME_HEAD + frames.readUInt32BE(at + FRAME_HEAD / 2)
    parts.push(frames.subarray(at + FRAME_HEAD, end))
    at = end
  }
  return Buffer.concat(parts).toString()
}

/** Waits until the health check of a service passes. */
export async function healthy(service: string): Promise<void> {
  const container = await ServiceContainer.of(service)
  const look = async () => {
    const { State } = await container.inspect()
    return `${State.Status} ${State.Health?.Status}`
  }
  await eventually(look, (state) => state === 'running healthy')
}
