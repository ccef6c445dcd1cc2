/**
 * `node tools/invariants.mjs [--check]`: writes docs/invariants.md, which tests hold which invariant of the architecture. A test says so by
 * `[I3]` in its title. With --check it fails if the page differs; it always fails if an invariant has no test.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const page = join(root, 'docs/invariants.md')

/** @returns {{ number: number, text: string }[]} of docs/architecture.md §2 */
function invariants() {
  const architecture = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
  const section = architecture.slice(architecture.indexOf('## §2 Invariants'), architecture.indexOf('## §3 '))
  return [...section.matchAll(/^(\d+)\. ([^]*?)(?=^\d+\. |$(?![^]))/gm)].map(([, number, text]) => ({
    number: Number(number),
    text: text.replaceAll(/\s+/g, ' ').trim(),
  }))
}

/** @returns {{ number: number, file: string, title: string }[]} */
function tests() {
  const files = ['src', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file.replaceAll('\\', '/')}`),
  )
  return files
    .filter((file) => file.endsWith('.test.ts'))
    .toSorted()
    .flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/(['`])((?:\[I\d+\] ?)+)(.*?)\1/g)].flatMap(([, , tags, title]) =>
        [...tags.matchAll(/\d+/g)].map(([number]) => ({ number: Number(number), file, title })),
      ),
    )
}

const found = tests()
const rows = invariants().map(({ number, text }) => ({ number, text, held: found.filter((test) => test.number === number) }))
const untested = rows.filter(({ held }) => held.length === 0).map(({ number }) => number)
const text = `# Invariants and their tests

Each invariant of the [architecture](architecture.md), and the tests that fail without it: they have its number in their title. Written by
\`node tools/invariants.mjs\`; \`npm run verify\` compares it.

${rows
  .map(
    ({ number, text: sentence, held }) =>
      `**${number}.** ${sentence}\n\n${held.map(({ file, title }) => `- \`${file}\`: ${title.replaceAll('%s', '…').replaceAll('%i', '…')}`).join('\n')}\n`,
  )
  .join('\n')}`

if (rows.length < 12) throw new Error('The invariants could not be read from docs/architecture.md.')
if (untested.length > 0) throw new Error(`No test has [I${untested.join('] or [I')}] in its title.`)
if (!process.argv.includes('--check')) writeFileSync(page, text)
else if (readFileSync(page, 'utf8') !== text) throw new Error('docs/invariants.md is not what the tests say.')
