/** As tools/node-version.mjs says it for npm scripts, which run without a build. Imports nothing, so that any Node can run it. */
export const OLDEST_NODE = [22, 22, 0] as const

/** @returns why this version cannot run the server; undefined if it can */
export function nodeRefusal(version: string): string | undefined {
  const parts = version.split('.').map(Number)
  const differing = OLDEST_NODE.findIndex((part, index) => part !== parts[index])
  if (differing === -1 || (parts[differing] ?? 0) > (OLDEST_NODE[differing] ?? 0)) return undefined
  return `MicroChat Server needs Node.js ${OLDEST_NODE.join('.')} or newer, and this is ${version} (${process.execPath}). Install Node.js 24, or start it by "npm start".`
}

/** Ends the process with 1 and a sentence on standard error, if this Node is too old. */
export function refuseOldNode(): void {
  const refusal = nodeRefusal(process.versions.node)
  if (refusal === undefined) return
  process.stderr.write(`${refusal}\n`)
  process.exit(1)
}
