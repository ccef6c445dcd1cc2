import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { saysUnreachable } from '../unreachable.js'

const ROOT = join(import.meta.dirname, '../../../..')

/** A package registry that is not to be reached from here. */
export class RegistryUnreachable extends Error {}

/** Where generated code and the tools of a language go: in no commit, and kept for the next run. */
export class Workshop {
  /** The configuration and the smoke run of this language. */
  readonly source: string
  readonly folder: string

  constructor(language: string) {
    this.source = join(ROOT, 'interop/generated', language)
    this.folder = join(ROOT, 'interop/generated/target', language)
  }

  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true })
  }

  /** @returns what the program wrote to both outputs. @throws with it, if the program fails or is not there */
  async run(program: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): Promise<string> {
    const { cwd = this.folder, env = {} } = options
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const failure = await new Promise<string | undefined>((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('close', (code) => resolve(code === 0 ? undefined : `ended with ${code}`))
    })
    if (failure !== undefined) throw new Error(`${program} ${args[0] ?? ''}: ${failure}\n${output.trim()}`)
    return output
  }

  /**
   * The same for programs that take packages from a registry, and talk to nobody else.
   * @throws RegistryUnreachable if they say that they could not get there
   */
  async download(...[program, args, options]: Parameters<Workshop['run']>): Promise<string> {
    try {
      return await this.run(program, args, options)
    } catch (error) {
      if (error instanceof Error && saysUnreachable(error.message)) throw new RegistryUnreachable(error.message, { cause: error })
      throw error
    }
  }

  /** openapi.yaml as it is. */
  readonly description = join(ROOT, 'openapi.yaml')

  /** openapi.yaml with JSON alone where there is JSON, by tools/json-description.mjs. */
  async jsonDescription(flags: readonly ('--open' | '--serde')[] = []): Promise<string> {
    const file = join(this.folder, 'openapi.json-only.yaml')
    await this.run(process.execPath, [join(ROOT, 'tools/json-description.mjs'), file, ...flags])
    return file
  }
}
