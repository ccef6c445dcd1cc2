import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Outcome {
  code: number
  out: string
  err: string
}

/** dist/cli.js as an operator runs it, with no environment but this. Build first (`npm test` does). */
export function cli(args: string, environment: Record<string, string> = {}): Promise<Outcome> {
  const file = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [file, ...args.split(' ').filter(Boolean)],
      { env: { PATH: process.env['PATH'], ...environment } },
      (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err })
      },
    )
  })
}
