import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** dist/main.js until it ends by itself, for starts that fail. Build first (`npm test` does). */
export function runMain(environment: Record<string, string>): Promise<{ code: unknown; err: string; out: string }> {
  const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
  return new Promise((resolve) => {
    execFile(process.execPath, [main], { env: { PATH: process.env['PATH'], ...environment } }, (error, out, err) =>
      resolve({ code: error?.code, err, out }),
    )
  })
}
