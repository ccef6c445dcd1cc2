import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'

const root = process.cwd()
const SETTINGS = ['package.json', 'package-lock.json', 'nest-cli.json', '.swcrc', 'tsconfig.json', 'tsconfig.build.json', 'tools']
const folders: string[] = []

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'build-'))
  folders.push(folder)
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

describe('a build', () => {
  let folder: string
  const inFolder = (path: string) => join(folder, path)
  /** `npm start` and `npm test` call `buildIfStale`, `npm run build` calls `build`. */
  const build = (name: 'build' | 'buildIfStale') =>
    promisify(execFile)(process.execPath, [
      '--input-type=module',
      '--eval',
      `await (await import('${inFolder('tools/build.mjs')}')).${name}()`,
    ])
  const writtenAt = async () => (await stat(inFolder('dist/main.js'))).mtimeMs
  /** Of the next build: a file written in the same millisecond would look the same. */
  const long = new Date('2001-01-01T00:00:00Z')

  beforeAll(async () => {
    folder = await newFolder()
    await Promise.all(SETTINGS.map((path) => cp(join(root, path), inFolder(path), { recursive: true })))
    for (const path of ['src/generated/prisma', 'prisma', 'examples', 'dist']) await mkdir(inFolder(path), { recursive: true })
    await writeFile(inFolder('prisma/schema.prisma'), '')
    await utimes(inFolder('prisma/schema.prisma'), long, long)
    await writeFile(inFolder('src/generated/prisma/client.ts'), 'export const client = 1\n')
    await writeFile(inFolder('src/main.test.ts'), 'throw new Error()\n')
    await writeFile(
      inFolder('src/main.ts'),
      `import 'reflect-metadata'
       import { Injectable } from '@nestjs/common'
       export class Needed {}
       @Injectable()
       export class Main { constructor(readonly needed: Needed) {} }
       console.log(Reflect.getMetadata('design:paramtypes', Main)[0] === Needed)\n`,
    )
    await writeFile(inFolder('examples/demo.ts'), `import { Main } from '../src/main.js'\nconsole.log(Main.name)\n`)
    await writeFile(inFolder('dist/deleted.js'), '')
    await build('build')
  })

  it('emits what Nest injects by, and what is next to src/ runs with it', () => {
    expect(execFileSync(process.execPath, [inFolder('dist/main.js')], { encoding: 'utf8' })).toBe('true\n')
    expect(execFileSync(process.execPath, [inFolder('dist/examples/demo.js')], { encoding: 'utf8' })).toBe('true\nMain\n')
  })

  it('leaves out tests, and clears away what has no source', () => {
    expect(['main.js', 'main.js.map', 'main.test.js', 'deleted.js'].map((file) => existsSync(inFolder(`dist/${file}`)))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  it('is left out where nothing has changed, and only there', async () => {
    const touched = async (change: () => Promise<unknown>) => {
      await utimes(inFolder('dist/main.js'), long, long)
      await change()
      await build('buildIfStale')
      return (await writtenAt()) !== long.getTime()
    }
    expect(await touched(() => Promise.resolve())).toBe(false)
    expect(await touched(() => writeFile(inFolder('src/main.test.ts'), ''))).toBe(false)
    expect(await touched(() => writeFile(inFolder('src/added.ts'), 'export const added = 1\n'))).toBe(true)
    expect(await touched(() => rm(inFolder('src/added.ts')))).toBe(true)
    expect(existsSync(inFolder('dist/added.js'))).toBe(false)
    expect(await touched(() => rm(inFolder('dist/examples/demo.js')))).toBe(true)
    expect(await touched(() => utimes(inFolder('.swcrc'), new Date(), new Date()))).toBe(true)
    expect(await touched(() => Promise.resolve())).toBe(false)
  })

  it('fails with the place of the fault, in src/ and next to it, and is not taken for done', async () => {
    for (const file of ['src/broken.ts', 'examples/broken.ts']) {
      await writeFile(inFolder(file), 'const x = {')
      for (let time = 0; time < 2; time++) await expect(build('buildIfStale')).rejects.toThrow(/broken\.ts:1/)
      await rm(inFolder(file))
    }
  })
})

it('an image is built from no more than its Dockerfile copies and .dockerignore lets in', async () => {
  const folder = await newFolder()
  const [stage = ''] = (await readFile(join(root, 'Dockerfile'), 'utf8')).split('RUN node tools/build.mjs')
  const copied = [...stage.matchAll(/^COPY (.*) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '))
  const letIn = (await readFile(join(root, '.dockerignore'), 'utf8')).split('\n')
  expect(copied.filter((path) => !letIn.includes(`!${path}`))).toEqual([])
  const kept = (path: string) => !/\.test\.ts$|src\/generated/.test(path)
  for (const path of copied) await cp(join(root, path), join(folder, path), { recursive: true, filter: kept })
  await promisify(execFile)(process.execPath, ['tools/build.mjs'], { cwd: folder })
  for (const file of ['main.js', 'cli.js', 'generated/prisma/client.js']) expect(existsSync(join(folder, 'dist', file))).toBe(true)
})
