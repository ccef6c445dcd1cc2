import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The blocks between ```sh and ``` of a page, in order and as they stand there. */
export function shellBlocks(markdown: string): string[] {
  return [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? '')
}

export interface BlockRun {
  /** What the block printed, and what is in the `.json` files below TMPDIR after it. */
  readonly output: string
  readonly files: string
}
export interface ShellRun {
  readonly code: number | null
  /** The command that failed, and what was written to standard error. */
  readonly errors: string
  readonly blocks: readonly BlockRun[]
}

const END_OF_BLOCK = '--- end of a block'
const END_OF_FILES = '--- end of its files'

/**
 * Runs blocks one after the other in one shell, which stops at the first command that fails, also within a pipe.
 * @param folder what commands take for the temporary folder
 */
export async function runBlocks(blocks: readonly string[], folder: string): Promise<ShellRun> {
  const files = `find "$TMPDIR" -name '*.json' -exec cat {} +`
  const script = [
    'set -euo pipefail',
    `trap 'echo "failed with $?: $BASH_COMMAND" >&2' ERR`,
    ...blocks.map((block) => `${block}\necho '${END_OF_BLOCK}'\n${files}\necho '${END_OF_FILES}'`),
  ].join('\n')
  const { code, output, errors } = await runProcess('bash', ['-c', script], folder)
  const parts = output.split(`${END_OF_FILES}\n`).slice(0, -1)
  return {
    code,
    errors,
    blocks: parts.map((part) => {
      const [printed = '', found = ''] = part.split(`${END_OF_BLOCK}\n`)
      return { output: printed, files: found }
    }),
  }
}

/** A process in the repository's folder, with nothing of this environment but what every shell has. */
export async function runProcess(
  program: string,
  args: readonly string[],
  folder: string,
): Promise<{ code: number | null; output: string; errors: string }> {
  const PATH = `${dirname(process.execPath)}:${process.env['PATH']}`
  const env = { PATH, HOME: folder, TMPDIR: folder }
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output, errors }
}
