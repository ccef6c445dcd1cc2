import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { describe, expect, it } from '@jest/globals'

const ROOT = join(import.meta.dirname, '../..')
/** A JavaScript file, as the build of the image runs it. */
const RULE: string = '../../tools/unread-files.mjs'
const { isUnread } = (await import(RULE)) as { isUnread: (path: string) => boolean }
const inRepository = (path: string) => relative(ROOT, path).replaceAll(sep, '/')

interface Lock {
  packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>
}

/** Every file of the packages that the image has: those of the lock that are neither for development nor optional. */
function filesOfTheImage(): string[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock
  const folders = Object.entries(packages).flatMap(([path, { dev, optional, devOptional }]) =>
    path === '' || dev || optional || devOptional ? [] : [join(ROOT, path)],
  )
  return folders.filter(existsSync).flatMap(filesBelow).map(inRepository)
}

/** Files without the packages inside: the lock lists those. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesBelow(path)
    return entry.isFile() ? [path] : []
  })
}

/** What Node loads from node_modules for a command: by its own hooks, so CommonJS and ES modules alike. */
function loadedBy(...args: string[]): string[] {
  const list = join(mkdtempSync(join(process.env['TEST_RUN_FOLDER']!, 'loaded-')), 'list')
  const hook = `
    import { registerHooks } from 'node:module'
    import { appendFileSync } from 'node:fs'
    registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(list)}, url + '\\n'); return next(url, context) } })`
  const preload = `data:text/javascript,${encodeURIComponent(hook)}`
  execFileSync(process.execPath, ['--import', preload, ...args], { cwd: ROOT, stdio: 'pipe' })
  const urls = readFileSync(list, 'utf8').split('\n')
  return urls.filter((url) => url.includes('/node_modules/')).map((url) => inRepository(new URL(url).pathname))
}

describe('the files of packages that the image leaves out', () => {
  it.each([
    ['node_modules/fastify/test/hooks.test.js', true],
    ['node_modules/@fastify/cors/test/index.js', true],
    ['node_modules/ajv/node_modules/fast-uri/benchmark/run.js', true],
    ['node_modules/pino/lib/deep.test.js', true],
    ['node_modules/pino/lib/pino.d.ts', true],
    ['node_modules/pino/README.md', true],
    ['node_modules/pino/.github/workflows/ci.yml', true],
    ['node_modules/pino/lib/levels.js', false],
    ['node_modules/pino/LICENSE.md', false],
    ['node_modules/test/index.js', false],
    ['node_modules/@scope/tests/index.js', false],
    ['node_modules/x/lib/test/index.js', false],
    ['node_modules/x/contest.js', false],
  ])('%s: %s', (path, unread) => {
    expect(isUnread(path)).toBe(unread)
  })

  it('are none that a server loads', () => {
    // As in the Dockerfile: both load every module that there is.
    const loaded = [
      ...loadedBy('dist/cli.js', 'openapi', '--check'),
      ...loadedBy('--input-type=module', '--eval', "await import('@opentelemetry/sdk-node')"),
    ]
    expect(loaded.length).toBeGreaterThan(500)
    expect(loaded.filter(isUnread)).toEqual([])
  })

  it('are all tests that third parties ship', () => {
    const files = filesOfTheImage()
    expect(files.length).toBeGreaterThan(2_000)
    const inside = (path: string) => path.replace(/^.*node_modules\/(@[^/]+\/)?[^/]+/, '')
    const tests = files.filter((path) => /\/(tests?|__tests__|specs?)\/|\.(test|spec)\.[cm]?[jt]s$/i.test(inside(path)))
    expect(tests.length).toBeGreaterThan(500)
    expect(tests.filter((path) => !isUnread(path))).toEqual([])
  })

  it('are taken away by the Dockerfile', () => {
    const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    expect(dockerfile).toContain('COPY tools/prune-modules.mjs tools/unread-files.mjs tools/\n')
    expect(dockerfile).toMatch(/^RUN node tools\/prune-modules\.mjs/m)
  })
})
