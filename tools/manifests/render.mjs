import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { findRenderer } from './kubectl.mjs'

const ROOT = join(import.meta.dirname, '../../k8s')

/** Every kustomization by itself, as kubectl makes it. @returns a map from folder to Kubernetes objects */
export async function renderAll(folders) {
  const renderer = findRenderer()
  return new Map(await Promise.all(folders.map(async (folder) => [folder, await render(renderer, folder)])))
}

async function render([program, ...args], folder) {
  const { stdout, stderr } = await promisify(execFile)(program, [...args, join(ROOT, folder)], { maxBuffer: 64 * 1024 ** 2 }).catch(
    (error) => {
      throw new Error(`k8s/${folder} cannot be rendered:\n${error.stderr ?? error.message}`)
    },
  )
  // Deprecated fields are no errors to kustomize; here they are.
  if (/warning/i.test(stderr)) throw new Error(`k8s/${folder} renders with a warning:\n${stderr}`)
  return parseAllDocuments(stdout).map((document) => {
    if (document.errors.length > 0) throw new Error(`k8s/${folder} does not render to YAML: ${document.errors[0].message}`)
    return document.toJS()
  })
}
