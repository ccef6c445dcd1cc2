import { join } from 'node:path'
import ts from 'typescript'

/** API groups and versions of kubernetes-types, where the module is not simply the apiVersion. */
const GROUP_SUFFIX = /(\.authorization)?\.k8s\.io(?=\/)/

/** Kinds that are described in custom-resources.d.ts. */
const CUSTOM = /^(postgresql\.cnpg\.io|monitoring\.coreos\.com|cert-manager\.io|gateway\.networking\.k8s\.io)\//

/** In memory only; the folder decides where modules are looked up. */
const SOURCE = join(import.meta.dirname, 'rendered.ts')

const OPTIONS = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2024,
  module: ts.ModuleKind.NodeNext,
  types: [],
}

/**
 * Holds every object against its type: a field that does not exist, or has the wrong type, or is missing, is an error of the
 * TypeScript compiler. @returns `{ object, error }` for each; without object if the compiler itself could not be set up
 */
export function typeErrors(objects) {
  const declarations = objects.map(declaration)
  const source = declarations.join('')
  const program = ts.createProgram([SOURCE], OPTIONS, hostWith(source))
  const diagnostics = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics(), ...diagnosticsIn(program)]
  return diagnostics.map(({ start, messageText }) => {
    const error = ts.flattenDiagnosticMessageText(messageText, '\n')
    return start === undefined ? { error } : { object: objectAt(start, declarations, objects), error }
  })
}

function diagnosticsIn(program) {
  const file = program.getSourceFile(SOURCE)
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
}

function declaration(object, index) {
  return `import type { ${identifier(object.kind)} as K${index} } from '${moduleOf(object)}'
export const o${index}: K${index} = ${JSON.stringify(object, undefined, 2)}
`
}

function moduleOf({ apiVersion }) {
  if (CUSTOM.test(apiVersion)) return './custom-resources.js'
  return `kubernetes-types/${apiVersion.includes('/') ? apiVersion.replace(GROUP_SUFFIX, '') : `core/${apiVersion}`}.js`
}

/** It is pasted into a program. */
function identifier(kind) {
  if (!/^[A-Z][A-Za-z]*$/.test(kind)) throw new Error(`${kind} is not the name of a kind`)
  return kind
}

function hostWith(source) {
  const host = ts.createCompilerHost(OPTIONS)
  const [getSourceFile, fileExists] = [host.getSourceFile.bind(host), host.fileExists.bind(host)]
  host.fileExists = (name) => name === SOURCE || fileExists(name)
  host.getSourceFile = (name, ...rest) =>
    name === SOURCE ? ts.createSourceFile(name, source, OPTIONS.target) : getSourceFile(name, ...rest)
  return host
}

function objectAt(position, declarations, objects) {
  let end = 0
  return objects.find((_, index) => (end += declarations[index].length) > position)
}

export function nameOf({ kind, metadata }) {
  return `${kind} ${metadata?.name}`
}
