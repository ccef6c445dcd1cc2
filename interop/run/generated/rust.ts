import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Language } from './language.js'
import { missingTools, openapiGenerator } from './openapi-generator.js'

const METHOD = /^pub fn (\w+)\(configuration: /gm
const OPTIONS = ['hideGenerationTimestamp=true', 'packageName=microchat_client', 'supportAsync=false']

export const rust: Language = {
  name: 'rust',
  generator: 'openapi-generator',

  missing(workshop) {
    return missingTools(workshop, 'cargo', ['--version'])
  },

  async generate(workshop) {
    const description = await workshop.jsonDescription(['--open', '--serde'])
    // Bodies of bytes would be paths of files.
    const types = ['--type-mappings', 'file=Vec<u8>', '--additional-properties', OPTIONS.join(',')]
    const client = await openapiGenerator(workshop, description, ['-g', 'rust', '--library', 'reqwest', ...types])
    await withoutTls(join(client, 'Cargo.toml'))
    const api = join(client, 'src/apis')
    const modules = await Promise.all((await readdir(api)).map((file) => readFile(join(api, file), 'utf8')))
    return modules.flatMap((text) => [...text.matchAll(METHOD)].flatMap(([, name]) => name ?? []))
  },

  async compile(workshop) {
    for (const file of ['Cargo.toml', 'Cargo.lock', 'smoke.rs']) await cp(join(workshop.source, file), join(workshop.folder, file))
    await workshop.download('cargo', ['fetch', '--locked', '--quiet'])
    await workshop.run('cargo', ['build', '--locked', '--offline', '--quiet'])
  },

  async smoke(workshop, { url, seed, keyPackage }) {
    await workshop.run(join(workshop.folder, 'target/debug/smoke'), [url, seed, keyPackage])
  },
}

/** The smoke run talks to this machine; reqwest’s usual TLS wants OpenSSL’s headers on it. */
async function withoutTls(manifest: string): Promise<void> {
  const text = await readFile(manifest, 'utf8')
  const plain = text.replace(/^(reqwest = \{ version = "[^"]+",)/m, '$1 default-features = false,')
  if (plain === text) throw new Error('The generated Cargo.toml has no reqwest')
  await writeFile(manifest, plain)
}
