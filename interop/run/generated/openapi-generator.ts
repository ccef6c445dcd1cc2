import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Workshop } from './workshop.js'

/** By its whole name: where Maven cannot look a short one up, it does not say why. */
export const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.3.0'
const NAME = 'openapi-generator-cli'
const VERSION = '7.12.0'
const ARTIFACT = `org.openapitools:${NAME}:${VERSION}`

/** Said of any description of OpenAPI 3.1 with examples and refusals that several operations share; nothing is left out for it. */
const HARMLESS = [
  /OpenAPI 3\.1 support is still in beta/,
  /Failed to get the schema name: null/,
  /Ignoring complex example on request body/,
  /cannot be used as an? [\w/ ]+ name\. Renamed to /,
]

/**
 * Generates `client/` in the folder of the workshop, by openapi-generator from Maven Central.
 * @param args what chooses the language
 * @throws if it warns that something is left out
 */
export async function openapiGenerator(workshop: Workshop, description: string, args: readonly string[]): Promise<string> {
  const { folder } = workshop
  await workshop.download('mvn', ['-q', '-B', `${DEPENDENCY_PLUGIN}:copy`, `-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${folder}`])
  const client = join(folder, 'client')
  await rm(client, { recursive: true, force: true })
  const jar = join(folder, `${NAME}-${VERSION}.jar`)
  const said = await workshop.run('java', ['-jar', jar, 'generate', ...args, '-i', description, '-o', client])
  const warnings = said.split('\n').filter((line) => /\b(?:WARN|ERROR)\b/.test(line) && !HARMLESS.some((known) => known.test(line)))
  if (warnings.length > 0) throw new Error(`${NAME} warns:\n${warnings.join('\n')}`)
  return client
}

/** @returns what is missing for the generator itself and a compiler that says its version by `args`, or undefined */
export async function missingTools(workshop: Workshop, compiler: string, args: readonly string[]): Promise<string | undefined> {
  try {
    await workshop.run('mvn', ['--version'])
    const { groups } = /version "(?<major>\d+)/.exec(await workshop.run('java', ['-version'])) ?? {}
    if (!(Number(groups?.['major']) >= 17)) return 'Java of 17 or later'
  } catch {
    return 'Java of 17 or later with mvn'
  }
  try {
    await workshop.run(compiler, args)
    return undefined
  } catch {
    return compiler
  }
}
