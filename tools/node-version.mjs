const OLDEST = [22, 22, 0]

/** npm puts the pinned Node 24 first on its scripts' PATH on linux-x64; elsewhere the machine's own Node must be new enough. */
export function requireSupportedNode() {
  const version = process.versions.node.split('.').map(Number)
  const differing = OLDEST.findIndex((part, index) => part !== version[index])
  if (differing === -1 || version[differing] > OLDEST[differing]) return
  console.error(`MicroChat Server needs Node.js ${OLDEST.join('.')} or newer, but this is ${process.version} (${process.execPath}).`)
  console.error('On Linux x64, "npm ci" installs a suitable one and npm scripts use it. Elsewhere please install Node.js 24.')
  process.exit(1)
}
