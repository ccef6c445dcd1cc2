import { cp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Language } from './language.js'

const GENERATOR = 'openapi-generator-cli'
const VERSION = '7.12.0'
const ARTIFACT = `org.openapitools:${GENERATOR}:${VERSION}`
const METHOD = /^ {2}public \w+ (\w+)\([^)]*\) throws ApiException \{$/gm

/** Said of any description of OpenAPI 3.1 with examples and refusals that several operations share; nothing is left out for it. */
const HARMLESS = [
  /OpenAPI 3\.1 support is still in beta/,
  /Failed to get the schema name: null/,
  /Ignoring complex example on request body/,
]

export const java: Language = {
  name: 'java',
  generator: 'openapi-generator',

  async missing(workshop) {
    try {
      await workshop.run('mvn', ['--version'])
      const { groups } = /^javac (?<major>\d+)/m.exec(await workshop.run('javac', ['-version'])) ?? {}
      if (Number(groups?.['major']) >= 17) return undefined
    } catch {
      // As where it is too old.
    }
    return 'JDK of 17 or later with mvn'
  },

  async generate(workshop) {
    const { folder } = workshop
    await workshop.run('mvn', ['-q', '-B', 'dependency:copy', `-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${folder}`])
    const client = join(folder, 'client')
    await rm(client, { recursive: true, force: true })
    const jar = join(folder, `${GENERATOR}-${VERSION}.jar`)
    const args = ['-i', await workshop.jsonDescription(['--open']), '-o', client, '--additional-properties', 'hideGenerationTimestamp=true']
    const said = await workshop.run('java', ['-jar', jar, 'generate', '-g', 'java', '--library', 'native', ...args])
    const warnings = said.split('\n').filter((line) => /\b(?:WARN|ERROR)\b/.test(line) && !HARMLESS.some((known) => known.test(line)))
    if (warnings.length > 0) throw new Error(`${GENERATOR} warns:\n${warnings.join('\n')}`)
    const api = join(client, 'src/main/java/org/openapitools/client/api')
    const classes = await Promise.all((await readdir(api)).map((file) => readFile(join(api, file), 'utf8')))
    return classes.flatMap((text) =>
      [...text.matchAll(METHOD)].flatMap(([, name]) => name ?? []).filter((name) => !name.endsWith('WithHttpInfo')),
    )
  },

  async compile(workshop) {
    const cwd = join(workshop.folder, 'client')
    await cp(join(workshop.source, 'Smoke.java'), join(cwd, 'src/main/java/Smoke.java'))
    const classpath = ['dependency:build-classpath', '-Dmdep.outputFile=target/classpath.txt']
    await workshop.run('mvn', ['-q', '-B', '-Dmaven.test.skip=true', 'compile', ...classpath], { cwd })
  },

  async smoke(workshop, { url, keyPackage, seed, publicKey }) {
    const cwd = join(workshop.folder, 'client')
    const classpath = `target/classes:${await readFile(join(cwd, 'target/classpath.txt'), 'utf8')}`
    await workshop.run('java', ['-cp', classpath, 'Smoke', url, keyPackage, seed, publicKey], { cwd })
  },
}
