import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { useTestDatabase } from '../support/database.js'

const ROOT = join(import.meta.dirname, '../..')

/** Prisma's own command line on our WebAssembly schema engine, in `folder`. */
async function prisma(folder: string, url: string, args: string[]): Promise<{ code: number | null; output: string }> {
  const env = { ...process.env, DATABASE_URL: url, DIRECT_DATABASE_URL: url, CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' }
  const cli = join(ROOT, 'node_modules/prisma/build/index.js')
  const child = spawn(process.execPath, [cli, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output }
}

describe("Prisma's command line", () => {
  const database = useTestDatabase()

  test('takes our migration runner’s record for its own', async () => {
    expect(await prisma(ROOT, database.url, ['migrate', 'status'])).toMatchObject({
      code: 0,
      output: expect.stringContaining('Database schema is up to date!'),
    })
  })

  test('finds that the migrations make what schema.prisma says, and would drop no table of the server', async () => {
    const args = ['migrate', 'diff', '--from-migrations', 'prisma/migrations', '--to-schema', 'prisma/schema.prisma', '--script']
    const { code, output } = await prisma(ROOT, database.url, args)
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('This is an empty migration') })
  })

  test('writes the SQL of a changed model, and only that', async () => {
    const folder = await copyProject()
    const schema = join(folder, 'prisma/schema.prisma')
    await writeFile(schema, (await readFile(schema, 'utf8')).replace('model Account {', 'model Account {\n  note String?'))
    const args = ['migrate', 'diff', '--from-config-datasource', '--to-schema', 'prisma/schema.prisma', '--script']
    const { output } = await prisma(folder, database.url, args)
    const statements = output.split('\n').filter((line) => /^(CREATE|ALTER|DROP)/.test(line))
    expect(statements).toEqual([expect.stringMatching(/^ALTER TABLE "account" ADD COLUMN +"note" TEXT;$/)])
  })

  test('applies migrations with function bodies, as ours are', async () => {
    const folder = await copyProject()
    await database.pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    const { code, output } = await prisma(folder, database.url, ['migrate', 'deploy'])
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('successfully applied') })
    expect((await database.pool.query(`SELECT to_regclass('log_15') IS NOT NULL AS made`)).rows).toEqual([{ made: true }])
  })
})

async function copyProject(): Promise<string> {
  const folder = await mkdtemp(join(process.env['TEST_RUN_FOLDER']!, 'prisma-'))
  for (const path of ['prisma', 'prisma.config.ts', 'tools', 'package.json', 'tsconfig.json']) {
    await cp(join(ROOT, path), join(folder, path), { recursive: true })
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}
