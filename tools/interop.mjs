/** `node tools/interop.mjs [--short] [--only TEXT]`: builds and tests the clients in interop/ with cargo, then runs interop/run/main.ts. */
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
  const manifest = ['--locked', '--quiet', '--manifest-path', join(root, 'interop/Cargo.toml')]
  const cargo = async (...task) => (await run('cargo', [...task, '--release', '--offline', ...manifest])).code === 0
  const fetched = await run('cargo', ['fetch', ...manifest])
  const { saysUnreachable } = await import(dist('unreachable.js'))
  if (fetched.code !== 0 && saysUnreachable(fetched.said)) {
    console.log('skipped: interoperation with OpenMLS and mls-rs, as their crates cannot be fetched')
    console.log('0 passed, 0 failed')
  } else if (fetched.code === 0 && (await cargo('build')) && (await cargo('test', '--package', 'interop-common')))
    await import(dist('main.js'))
  else {
    console.log('The clients in interop/ do not build, or their own tests fail.\n0 passed, 1 failed')
    process.exitCode = 1
  }
}

function dist(file) {
  return pathToFileURL(join(root, 'dist/interop/run', file)).href
}

/** @returns its exit code and what it wrote to its second output, which is shown */
function run(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
    process.stderr.write(chunk)
  })
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 1, said: error.message }))
    child.once('close', (code) => resolve({ code, said }))
  })
}
