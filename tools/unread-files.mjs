/** Declarations and sources of TypeScript, source maps, prose. What a licence asks to be kept is kept. */
const UNREAD = /\.(ts|mts|cts|map|md|markdown|tsbuildinfo)$/
const LEGAL = /^(licen[cs]e|notice|copying|copyright|patents|authors)/i
/** What packages test and measure themselves with; at the top of a package only, where nothing else has such a name. */
const OWN_FOLDERS = /^(\.github|__tests__|__mocks__|tests?|specs?|fixtures?|bench(mark)?s?|coverage|examples?)\//i
const TESTS = /(^|\/)__tests__\/|[.-](test|spec)\.[cm]?js$/

/**
 * Whether a file of a package is nothing that Node loads: the image leaves it out (tools/prune-modules.mjs). A test compares this with
 * what a server does load.
 * @param {string} path from the folder above `node_modules`, with slashes
 */
export function isUnread(path) {
  const inside = path.replace(/^.*(^|\/)node_modules\/(@[^/]+\/)?[^/]+\//, '')
  const name = inside.split('/').at(-1) ?? ''
  if (LEGAL.test(name)) return false
  return UNREAD.test(name) || OWN_FOLDERS.test(inside) || TESTS.test(inside)
}
