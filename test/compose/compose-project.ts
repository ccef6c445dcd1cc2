import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe } from '@jest/globals'
import { eventually } from '../support/eventually.js'

const project = process.env['TEST_COMPOSE_PROJECT']
const execute = promisify(execFile)

/** Skipped, by name, where no deployment of docker-compose.yml is up for tests: `npm run test:deployment` makes one. */
export const describeDeployment = project ? describe : describe.skip

/** What docker prints. */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await execute('docker', args)
  return stdout.trim()
}

/** The id of the one container of a service. */
export function containerOf(service: string): Promise<string> {
  const labels = { project, service }
  const filters = Object.entries(labels).map(([key, value]) => `--filter=label=com.docker.compose.${key}=${value}`)
  return docker('ps', '--all', '--quiet', ...filters)
}

/** Runs a program inside the container. */
export async function inside(service: string, ...command: string[]): Promise<string> {
  return docker('exec', await containerOf(service), ...command)
}

/** Everything that a container has written. */
export async function logOf(service: string): Promise<string> {
  const { stdout, stderr } = await execute('docker', ['logs', await containerOf(service)])
  return stdout + stderr
}

/** Milliseconds until the health check of a service passes. */
export async function healthy(service: string): Promise<number> {
  const container = await containerOf(service)
  const begun = performance.now()
  const look = () => docker('inspect', '--format={{.State.Status}} {{.State.Health.Status}}', container)
  await eventually(look, (state) => state === 'running healthy', 60_000)
  return performance.now() - begun
}
