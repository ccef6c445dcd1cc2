import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'
import { PROBLEMS } from '../../src/app/openapi/problem-catalogue.js'
import { VERSION } from '../../src/platform/version.js'

interface Parameter {
  name: string
  in: string
}
interface Operation {
  operationId: string
  summary?: string
  description?: string
  parameters: Parameter[]
  requestBody?: { content: Record<string, object> }
  responses: Record<string, { $ref?: string; description?: string; content?: object }>
}
interface Document {
  info: { version: string }
  paths: Record<string, Record<string, Operation>>
}
const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string) => readFileSync(root + path, 'utf8')
const document = parse(read('openapi.yaml')) as Document
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
)

describe('openapi.yaml', () => {
  it.each(operations.map(({ operation }) => [operation.operationId, operation] as const))(
    'says what %s does and answers',
    (id, operation) => {
      expect(id).toMatch(/^[a-z][A-Za-z]+$/)
      expect(operation.summary?.length).toBeGreaterThan(5)
      expect(operation.description?.length).toBeGreaterThan(20)
      const successes = Object.entries(operation.responses).filter(([status]) => status.startsWith('2'))
      expect(successes.map(([status]) => status)).toHaveLength(id === 'appendToDeviceList' ? 2 : 1) // 202: the change waits
      for (const [status, { description, content }] of successes) {
        expect(description).not.toBe('Done')
        expect(description?.length).toBeGreaterThan(5)
        expect(content === undefined).toBe(status === '204')
      }
      const names = operation.parameters.map((parameter) => `${parameter.in} ${parameter.name.toLowerCase()}`)
      expect(names).toEqual([...new Set(names)])
    },
  )

  it('names each operation once, and each path once whatever its parameters are called', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(ids).toEqual([...new Set(ids)])
    const shapes = Object.keys(document.paths).map((path) => path.replaceAll(/\{[^}]+\}/g, '{}'))
    expect(shapes).toEqual([...new Set(shapes)])
  })

  it('gives integers no pattern, and no schema that takes everything', () => {
    const text = read('openapi.yaml')
    expect(text).not.toMatch(/^\s*- \{\}$/m)
    expect(text).not.toMatch(/-9007199254740991/)
    expect(integersWithPattern(document)).toEqual([])
  })

  it('leaves every answer open for members of later versions, and closes requests', () => {
    expect(operations.filter(({ operation }) => closedIn(operation.responses)).map(({ operation }) => operation.operationId)).toEqual([])
    const bodies = operations.filter(({ operation }) => operation.requestBody?.content['application/json'])
    expect(bodies.filter(({ operation }) => !closedIn(operation.requestBody)).map(({ operation }) => operation.operationId)).toEqual([])
  })

  it('is of the same version as the package and asyncapi.yaml', () => {
    const asyncapi = parse(read('docs/asyncapi.yaml')) as { info: { version: string } }
    expect([document.info.version, asyncapi.info.version]).toEqual([VERSION, VERSION])
  })
})

/** Names of operations whose answers exclude members that a later version adds (docs/versioning.md). */
function closedIn(node: unknown, seen = new Set<string>()): boolean {
  if (typeof node !== 'object' || node === null) return false
  if ('$ref' in node && typeof node.$ref === 'string') {
    if (seen.has(node.$ref)) return false
    seen.add(node.$ref)
    const named: unknown = node.$ref
      .split('/')
      .slice(1)
      .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document)
    return closedIn(named, seen)
  }
  if ('additionalProperties' in node && node.additionalProperties === false) return true
  return Object.values(node).some((child) => closedIn(child, seen))
}

function integersWithPattern(node: unknown, at = ''): string[] {
  if (typeof node !== 'object' || node === null) return []
  const own = 'type' in node && node.type === 'integer' && 'pattern' in node ? [at] : []
  return [...own, ...Object.entries(node).flatMap(([key, child]) => integersWithPattern(child, `${at}/${key}`))]
}

describe('the catalogue of problems', () => {
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' }).filter((file) => /(?<!\.test)\.ts$/.test(file))
  const thrown = sources.flatMap((file) =>
    [...read(`src/${file}`).matchAll(/(?:super|new Problem)\(\s*(\d{3}),\s*(?:'([a-z-]+)'|`([a-z-]+)\$\{)/g)].map(
      ([, status, name, start]) => ({
        file,
        status: Number(status),
        name: name ?? start ?? '',
      }),
    ),
  )

  it('has each type that a source names, with its status', () => {
    expect(thrown.length).toBeGreaterThan(50)
    const unknown = thrown.filter(
      ({ name, status }) => ![...PROBLEMS].some(([type, about]) => type.startsWith(name) && about.status === status),
    )
    expect(unknown).toEqual([])
  })

  it('has no type that no source names', () => {
    const text = sources.filter((file) => !file.endsWith('problem-types.ts')).map((file) => withoutCatalogue(read(`src/${file}`)))
    const all = text.join('\n')
    const unused = [...PROBLEMS.keys()].filter((type) => !all.includes(`'${type}'`) && !/^too-many-(devices|keys)$/.test(type))
    expect(unused).toEqual([])
  })

  it('is what docs/errors.md lists', () => {
    const headings = [...read('docs/errors.md').matchAll(/^### (.+)$/gm)].map(([, name]) => name)
    expect(headings).toEqual([...PROBLEMS.keys()])
  })
})

/** The tables themselves name every type; what counts is who throws it. */
function withoutCatalogue(source: string): string {
  return source.replaceAll(/_PROBLEMS: ProblemTypes = \{[\s\S]*?^\}$/gm, '').replaceAll(/@Refuses\([^)]*\)/g, '')
}
