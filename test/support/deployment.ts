import { startBalancer, type Balancer } from './balancer.js'
import { freePort } from './free-port.js'
import { spawnServer, type SpawnedServer } from './server.js'

type Role = 'api' | 'worker'

/** One process of a deployment; it keeps its port, and its log over all its lives. */
export class DeployedNode {
  private process: SpawnedServer | undefined
  private past = ''

  constructor(
    readonly role: Role,
    readonly port: number,
    private readonly operationsPort: number,
    private readonly start: (main?: string) => Promise<SpawnedServer>,
  ) {}

  get output(): string {
    return this.past + (this.process?.output() ?? '')
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** @param main of another release; else this one's */
  async up(main?: string): Promise<void> {
    this.process = await this.start(main)
  }

  /** @returns the exit code; null if the signal ended it */
  async down(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const { process } = this
    if (!process) return null
    const code = await process.stop(signal)
    this.past += `${process.output()}\n`
    this.process = undefined
    return code
  }

  /** @param name with its labels, or the sum over all of them; undefined if the node does not show it */
  async metric(name: string): Promise<number | undefined> {
    const text = await (await fetch(`http://127.0.0.1:${this.operationsPort}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    return lines.length > 0 ? lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0) : undefined
  }
}

export interface DeploymentOptions {
  api?: number
  workers?: number
  /** Main file of the release that the nodes run at first; this release by default. */
  main?: string
}

/** N api and M worker processes on one PostgreSQL and one Redis, with a balancer in front. */
export class Deployment {
  private constructor(
    readonly api: readonly DeployedNode[],
    readonly workers: readonly DeployedNode[],
    private readonly balancer: Balancer,
  ) {}

  static async start(
    databaseUrl: string,
    settings: Record<string, string>,
    { api = 3, workers = 2, main }: DeploymentOptions = {},
  ): Promise<Deployment> {
    const create = async (role: Role) => {
      const [port, operationsPort] = [await freePort(), await freePort()]
      const environment = { ...settings, ROLE: role, PORT: String(port), OPERATIONS_PORT: String(operationsPort), LOG_LEVEL: 'info' }
      return new DeployedNode(role, port, operationsPort, (main) => spawnServer(databaseUrl, environment, main))
    }
    const many = (role: Role, count: number) => Promise.all(Array.from({ length: count }, () => create(role)))
    const [apiNodes, workerNodes] = await Promise.all([many('api', api), many('worker', workers)])
    const balancer = await startBalancer(apiNodes.map(({ port }) => port))
    const made = new Deployment(apiNodes, workerNodes, balancer)
    await Promise.all(made.nodes.map((node) => node.up(main)))
    return made
  }

  get url(): string {
    return this.balancer.url
  }

  get nodes(): DeployedNode[] {
    return [...this.api, ...this.workers]
  }

  async stop(): Promise<void> {
    await this.balancer.close()
    await Promise.all(this.nodes.map((node) => node.down('SIGKILL')))
  }
}
