import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Language } from './language.js'
import type { Workshop } from './workshop.js'

export const python: Language = {
  name: 'python',
  generator: 'openapi-python-client',

  async missing(workshop) {
    try {
      await workshop.run('python3', ['-c', 'import sys, venv, ensurepip; assert sys.version_info >= (3, 11)'])
      return undefined
    } catch {
      return 'python3 of 3.11 or later with venv'
    }
  },

  async generate(workshop) {
    await install(workshop)
    const config = join(workshop.source, 'config.yaml')
    const args = ['--path', await workshop.jsonDescription(), '--config', config, '--output-path', generated(workshop)]
    await workshop.run(program(workshop, 'openapi-python-client'), ['generate', '--fail-on-warning', '--overwrite', ...args])
    const files = await readdir(join(generated(workshop), 'microchat_client/api'), { recursive: true })
    return files.filter((file) => file.endsWith('.py') && !file.endsWith('__init__.py')).map((file) => basename(file, '.py'))
  },

  async compile(workshop) {
    const importAll = `
import importlib, pkgutil, microchat_client
for module in pkgutil.walk_packages(microchat_client.__path__, "microchat_client."):
    importlib.import_module(module.name)`
    await workshop.run(program(workshop, 'python'), ['-W', 'error', '-c', importAll], withClient(workshop))
  },

  async smoke(workshop, { url, seed, keyPackage }) {
    await workshop.run(program(workshop, 'python'), [join(workshop.source, 'smoke.py'), url, seed, keyPackage], withClient(workshop))
  },
}

/** Into an environment of its own, once for each list of packages. */
async function install(workshop: Workshop): Promise<void> {
  const requirements = join(workshop.source, 'requirements.txt')
  const wanted = await readFile(requirements, 'utf8')
  const stamp = join(workshop.folder, 'installed.txt')
  if ((await readFile(stamp, 'utf8').catch(() => undefined)) === wanted) return
  const environment = join(workshop.folder, 'venv')
  await rm(environment, { recursive: true, force: true })
  await workshop.run('python3', ['-m', 'venv', environment])
  await workshop.download(program(workshop, 'pip'), ['install', '--quiet', '--disable-pip-version-check', '--requirement', requirements])
  await writeFile(stamp, wanted)
}

function program(workshop: Workshop, name: string): string {
  return join(workshop.folder, 'venv/bin', name)
}

function generated(workshop: Workshop): string {
  return join(workshop.folder, 'client')
}

function withClient(workshop: Workshop): { env: Record<string, string> } {
  return { env: { PYTHONPATH: generated(workshop), PYTHONDONTWRITEBYTECODE: '1' } }
}
