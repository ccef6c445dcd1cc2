import { spawn } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const modified = (path) =>
  stat(new URL(`../${path}`, import.meta.url)).then(
    (found) => found.mtimeMs,
    () => undefined,
  )

/** Runs Prisma's generator unless the client in src/generated is newer than the schema. Needs neither network nor database. */
export async function generatePrismaIfStale() {
  const schema = await modified('prisma/schema.prisma')
  const client = await modified('src/generated/prisma/client.ts')
  if (client === undefined || schema > client) await generatePrisma()
}

async function generatePrisma() {
  const cli = fileURLToPath(new URL('../node_modules/prisma/build/index.js', import.meta.url))
  const env = { ...process.env, CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' }
  const child = spawn(process.execPath, [cli, 'generate', '--no-hints'], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`prisma generate failed:\n${output}`)
}

if (import.meta.filename === process.argv[1]) {
  await generatePrisma()
  console.log('Generated src/generated/prisma')
}
