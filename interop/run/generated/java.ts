import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Language } from './language.js'
import { DEPENDENCY_PLUGIN, missingTools, openapiGenerator } from './openapi-generator.js'

const METHOD = /^ {2}public \w+ (\w+)\([^)]*\) throws ApiException \{$/gm

export const java: Language = {
  name: 'java',
  generator: 'openapi-generator',

  missing(workshop) {
    return missingTools(workshop, 'javac', ['-version'])
  },

  async generate(workshop) {
    const description = await workshop.jsonDescription(['--open'])
    const options = ['--additional-properties', 'hideGenerationTimestamp=true']
    const client = await openapiGenerator(workshop, description, ['-g', 'java', '--library', 'native', ...options])
    const api = join(client, 'src/main/java/org/openapitools/client/api')
    const classes = await Promise.all((await readdir(api)).map((file) => readFile(join(api, file), 'utf8')))
    return classes.flatMap((text) =>
      [...text.matchAll(METHOD)].flatMap(([, name]) => name ?? []).filter((name) => !name.endsWith('WithHttpInfo')),
    )
  },

  async compile(workshop) {
    const cwd = join(workshop.folder, 'client')
    await cp(join(workshop.source, 'Smoke.java'), join(cwd, 'src/main/java/Smoke.java'))
    const classpath = [`${DEPENDENCY_PLUGIN}:build-classpath`, '-Dmdep.outputFile=target/classpath.txt']
    await workshop.download('mvn', ['-q', '-B', '-Dmaven.test.skip=true', 'compile', ...classpath], { cwd })
  },

  async smoke(workshop, { url, keyPackage, seed, publicKey }) {
    const cwd = join(workshop.folder, 'client')
    const classpath = `target/classes:${await readFile(join(cwd, 'target/classpath.txt'), 'utf8')}`
    await workshop.run('java', ['-cp', classpath, 'Smoke', url, keyPackage, seed, publicKey], { cwd })
  },
}
