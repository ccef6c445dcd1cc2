export class JsonError extends Error {}

const MAX_DEPTH = 16
/** Braces, brackets, commas and strings. The largest body, a Commit with 10,000 names of the removed, has some 20,000. */
const MAX_TOKENS = 64_000

/**
 * JSON (RFC 8259) without what parsers disagree on: duplicate member names, `__proto__`, invalid UTF-8, deep nesting.
 * One linear walk happens before JSON.parse builds anything; JSON.parse remains the judge of the grammar.
 */
export function decodeJson(bytes: Uint8Array): unknown {
  const text = decodeText(bytes)
  checkStructure(text)
  return parse(text)
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new JsonError('not UTF-8')
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new JsonError('not JSON')
  }
}

/** An open object has the set of its names so far, an open array has none. */
type Level = Set<string> | undefined

function checkStructure(text: string): void {
  const open: Level[] = []
  let tokens = 0
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '{') open.push(new Set())
    else if (char === '[') open.push(undefined)
    else if (char === '}' || char === ']') open.pop()
    else if (char === '"') at = checkString(text, at, open.at(-1))
    else if (char !== ',') continue
    if (++tokens > MAX_TOKENS) throw new JsonError('too many values')
    if (open.length > MAX_DEPTH) throw new JsonError('nested too deeply')
  }
}

/** @returns where the closing quote of the string that opens at `start` is */
function checkString(text: string, start: number, names: Level): number {
  const end = closingQuote(text, start)
  if (names && isName(text, end + 1)) {
    const name = String(parse(text.slice(start, end + 1)))
    if (name === '__proto__') throw new JsonError('forbidden member name')
    if (names.has(name)) throw new JsonError('duplicate member name')
    names.add(name)
  }
  return end
}

function closingQuote(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let escapes = 0
    while (text[at - 1 - escapes] === '\\') escapes++
    if (escapes % 2 === 0) return at
  }
  throw new JsonError('cut short')
}

function isName(text: string, end: number): boolean {
  let at = end
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
  return text[at] === ':'
}
