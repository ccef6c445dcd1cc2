/**
 * npm leaves a platform's package out of the lock if the registry did not offer it when the lock was made, and `npm ci` of another
 * npm version then refuses the lock as out of step. This adds the missing entries, which only other platforms would install.
 * `node tools/complete-lock.mjs` after every `npm install`; `--check` only says whether something is missing.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const file = join(import.meta.dirname, '..', 'package-lock.json')
const OS = /android|darwin|win32|freebsd|openharmony|linux|openbsd|netbsd|sunos|aix/
const CPU = /arm64|x64|ia32|ppc64|s390x|riscv64|loong64|arm/

const lock = JSON.parse(readFileSync(file, 'utf8'))
const missing = Object.fromEntries(Object.entries(lock.packages).flatMap(missingPlatformPackages))
const named = JSON.stringify(lock).includes('"resolved":')
const problems = [
  ...Object.keys(missing).map((path) => `package-lock.json has no entry for ${path}`),
  ...(named ? ['package-lock.json names the registry it was made with'] : []),
]

if (process.argv.includes('--check')) {
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length > 0 ? 1 : 0
} else {
  const packages = Object.entries({ ...lock.packages, ...missing }).sort(([left], [right]) => (left < right ? -1 : 1))
  for (const [, entry] of packages) delete entry.resolved
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, undefined, 2)}\n`)
  console.log(`Added ${Object.keys(missing).length} entries to package-lock.json`)
}

function missingPlatformPackages([path, { optionalDependencies = {}, dev }]) {
  return Object.entries(optionalDependencies).flatMap(([name, version]) => {
    const [os, cpu] = [OS.exec(name)?.[0], CPU.exec(name)?.[0]]
    if (!os || !cpu || !/^\d/.test(version) || isLocked(path, name)) return []
    return [[`node_modules/${name}`, { version, cpu: [cpu], ...(dev ? { dev } : {}), optional: true, os: [os] }]]
  })
}

/** As Node resolves: beside the dependent, or beside any of its parents. */
function isLocked(path, name) {
  for (let parent = path; ; parent = parent.slice(0, Math.max(parent.lastIndexOf('/node_modules/'), 0))) {
    if (lock.packages[`${parent ? `${parent}/` : ''}node_modules/${name}`]) return true
    if (!parent) return false
  }
}
