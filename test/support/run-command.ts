import { jest } from '@jest/globals'
import { runCli } from '../../src/app/cli/run-cli.js'

/** An operator's command in this process, with its settings: what it prints, and its exit code. */
export async function runCommand(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  const written = { out: '', errors: '' }
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      written.out += String(text)
      return true
    }),
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      written.errors += String(text)
      return true
    }),
  ]
  try {
    return { code: await runCli(args), ...written }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}
