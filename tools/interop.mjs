/** `node tools/interop.mjs [--short] [--only TEXT]`: builds the clients in interop/ with cargo, then runs interop/run/main.ts. */
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { endWithParents } from './end-with-parents.mjs'
import { requireSupportedNode } from './node-version.mjs'

requireSupportedNode()
endWithParents()
const root = join(import.meta.dirname, '..')

if (spawnSync('cargo', ['--version']).status !== 0) {
  console.log('skipped: interoperation with OpenMLS and mls-rs, as there is no cargo on PATH')
  console.log('0 passed, 0 failed')
} else {
  const { buildIfStale } = await import('./build.mjs')
  await buildIfStale()
  const code = await run('cargo', ['build', '--release', '--locked', '--quiet', '--manifest-path', join(root, 'interop/Cargo.toml')])
  if (code === 0) await import(pathToFileURL(join(root, 'dist/interop/run/main.js')).href)
  else {
    console.log('The clients in interop/ do not build.\n0 passed, 1 failed')
    process.exitCode = 1
  }
}

function run(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit' })
  return new Promise((resolve) => child.once('error', () => resolve(1)).once('close', resolve))
}
