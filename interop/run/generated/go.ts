import { cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Language } from './language.js'

/** The version that go.mod asks for is used, and no other fetched. */
const ENVIRONMENT = { env: { GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', GOWORK: 'off' } }
const METHOD = /^func \(c \*ClientWithResponses\) (\w+?)(?:WithBody)?WithResponse\(/gm

export const go: Language = {
  name: 'go',
  generator: 'oapi-codegen',

  async missing(workshop) {
    try {
      const { groups } = /go(?<major>\d+)\.(?<minor>\d+)/.exec(await workshop.run('go', ['env', 'GOVERSION'], ENVIRONMENT)) ?? {}
      if (Number(groups?.['major']) > 1 || Number(groups?.['minor']) >= 26) return undefined
    } catch {
      // As where it is too old.
    }
    return 'go of 1.26 or later'
  },

  async generate(workshop) {
    const { source, folder, description } = workshop
    for (const file of ['go.mod', 'go.sum', 'smoke.go']) await cp(join(source, file), join(folder, file))
    await mkdir(join(folder, 'microchat'), { recursive: true })
    const client = join(folder, 'microchat/client.gen.go')
    const config = join(source, 'config.yaml')
    await workshop.download('go', ['mod', 'download'], ENVIRONMENT)
    const said = await workshop.run('go', ['tool', 'oapi-codegen', '-config', config, '-o', client, description], ENVIRONMENT)
    if (said.trim() !== '') throw new Error(`oapi-codegen warns: ${said}`)
    return [...(await readFile(client, 'utf8')).matchAll(METHOD)].flatMap(([, name]) => (name === undefined ? [] : [name]))
  },

  async compile(workshop) {
    await workshop.run('go', ['vet', './...'], ENVIRONMENT)
    await workshop.run('go', ['build', '-o', 'smoke', '.'], ENVIRONMENT)
  },

  async smoke(workshop, { url, seed, keyPackage }) {
    await workshop.run(join(workshop.folder, 'smoke'), [url, seed, keyPackage])
  },
}
