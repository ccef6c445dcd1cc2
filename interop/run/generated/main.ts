import { readFile } from 'node:fs/promises'
import { encodeMlsMessage } from 'ts-mls'
import { parse } from 'yaml'
import { Device, newDevice } from '../../../examples/client/device.js'
import { embeddedServer } from '../../../examples/demo-server.js'
import { Http } from '../../../examples/client/http.js'
import { toBase64Url } from '../../../examples/client/wire.js'
import { go } from './go.js'
import { java } from './java.js'
import type { Language, SmokeInput } from './language.js'
import { python } from './python.js'
import { rust } from './rust.js'
import { RegistryUnreachable, Workshop } from './workshop.js'

/**
 * `npm run generated-clients [-- LANGUAGE …]`: generates a client from openapi.yaml in each language whose tools are there, compiles it, and
 * lets it register, log in, publish, claim and poll at a server that this starts.
 */
const LANGUAGES: readonly Language[] = [python, go, java, rust]
/** Ed25519, whose keys need no encoding of their own. */
const SUITE = 1
const SEED_BYTES = 32

const asked = process.argv.slice(2)
const counts = { passed: 0, failed: 0, skipped: 0 }

const server = await embeddedServer({ DOMAIN: 'localhost', PORT: '0', LOGINS_PER_MINUTE: '1000', ACCESS_TOKENS: 'bearer-allowed' })
try {
  for (const language of LANGUAGES) if (asked.length === 0 || asked.includes(language.name)) await tryOut(language)
} finally {
  await server.stop()
}
console.log(`${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`)
process.exitCode = counts.failed === 0 ? 0 : 1

async function tryOut(language: Language): Promise<void> {
  const workshop = new Workshop(language.name)
  await workshop.open()
  const operations = await operationIds(workshop.description)
  const name = `${language.name} (${language.generator})`
  const steps: [string, () => Promise<void>][] = [
    [
      `generates all ${operations.length} operations without a warning`,
      async () => sameOperations(operations, await language.generate(workshop)),
    ],
    ['compiles', () => language.compile(workshop)],
    ['registers, logs in, publishes, claims and polls', async () => language.smoke(workshop, await smokeInput(language))],
  ]
  const missing = await language.missing(workshop)
  for (const [index, [step, action]] of steps.entries()) {
    if (missing !== undefined) skip(`${name} ${step}`, `there is no ${missing}`)
    else if (!(await check(`${name} ${step}`, action))) {
      for (const [later] of steps.slice(index + 1)) skip(`${name} ${later}`, 'the step before did not pass')
      return
    }
  }
}

async function check(name: string, action: () => Promise<void>): Promise<boolean> {
  const began = performance.now()
  try {
    await action()
    counts.passed++
    console.log(`✓ ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`)
    return true
  } catch (error) {
    if (error instanceof RegistryUnreachable) {
      skip(name, `a package registry cannot be reached: ${error.message.split('\n')[0]}`)
      return false
    }
    counts.failed++
    console.log(`✗ ${name}\n${error instanceof Error ? error.message : String(error)}`)
    return false
  }
}

function skip(name: string, reason: string): void {
  counts.skipped++
  console.log(`- skipped: ${name}, as ${reason}`)
}

async function operationIds(file: string): Promise<string[]> {
  const { paths } = parse(await readFile(file, 'utf8')) as { paths: Record<string, Record<string, { operationId?: string }>> }
  return Object.values(paths).flatMap((methods) => Object.values(methods).flatMap(({ operationId }) => operationId ?? []))
}

/** Generators spell an operationId as their language wants it. */
function sameOperations(described: readonly string[], generated: readonly string[]): void {
  const spelling = (name: string): string => name.replaceAll('_', '').toLowerCase()
  const found = new Set(generated.map(spelling))
  const dropped = described.filter((name) => !found.has(spelling(name)))
  const known = new Set(described.map(spelling))
  const strange = [...found].filter((name) => !known.has(name))
  if (dropped.length > 0 || strange.length > 0) throw new Error(`dropped: ${dropped.join(', ')}; not described: ${strange.join(', ')}`)
}

/** MLS itself is nothing that a generator makes: the KeyPackage that the client publishes comes from here. */
async function smokeInput({ name }: Language): Promise<SmokeInput> {
  const record = await newDevice(`mimi://localhost/u/${name}-alice`, `mimi://localhost/d/${name}-alice/generated`, [SUITE])
  const made = await new Device(new Http({ baseUrl: server.url }), record).newKeyPackage(SUITE)
  const key = record.keys.get(SUITE)
  if (!key) throw new Error('The device has no key')
  // PKCS #8 with the seed at its end (RFC 8410 §7).
  const seed = key.signKey.slice(-SEED_BYTES)
  const message = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage: made.public })
  return { url: server.url, seed: toBase64Url(seed), publicKey: toBase64Url(key.publicKey), keyPackage: toBase64Url(message) }
}
