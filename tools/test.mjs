/** `node tools/test.mjs [JEST ARGUMENTS]`: builds, then runs Jest. The last line is always `N passed, N failed`. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { requireSupportedNode } from './node-version.mjs'

requireSupportedNode()
const { build } = await import('./build.mjs')
await build()

const root = join(import.meta.dirname, '..')
const jest = join(root, 'node_modules/jest/bin/jest.js')
const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
const child = spawn(process.execPath, [...flags, jest, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('close', (code, signal) => {
  process.exitCode = signal ? 1 : (code ?? 1)
})
