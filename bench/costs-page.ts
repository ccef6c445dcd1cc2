import type { CostRow } from './costs.js'
import { A_MILLISECOND, allowance, SLICES } from '../test/isolation/costs/piece.js'

/** `docs/costs.md`, without figures that another machine would not have. */
export function costsPage(rows: readonly CostRow[]): string {
  const table = rows.map(({ piece, units }) => {
    const { name, place, bounded, because } = piece
    return `| ${name} | ${place} | ${rounded(units)} | ${allowance(piece)} | ${bounded}${because ? `. More than a millisecond: ${because}` : ''} |`
  })
  return `# What requests cost

Written by \`npm run bench -- costs docs/costs.md\`; \`test/isolation/costs.alone.test.ts\` measures the same again and fails if one costs more
than it is allowed, or if a route or a frame is in no list (\`test/isolation/costs/routes.ts\`).

The unit is one check of an Ed25519 signature, measured in the same run: some 0.06 to 0.15 ms of a core, so that ${A_MILLISECOND} are one or two
milliseconds. Of work on the **event loop** the table has what all of it takes, since everything else waits so long. Of work elsewhere (in
**slices** of two milliseconds, in **worker threads**, in the **thread pool** of Node) it has the longest stretch for which the event loop is
held nevertheless, ${SLICES} at most. Each is measured at the largest input that is taken.

| Path | Where | Costs | Allowed | What bounds it |
| --- | --- | --- | --- | --- |
${table.join('\n')}

Not in the table: signatures of send tokens, 4 each, which are made in worker threads, holders in turn; and what is cheap at any input, as the
list says of each route.
`
}

/** To one digit: a page that changes with every run is no page. */
function rounded(units: number): string {
  if (units < 1) return '< 1'
  return String(Number(units.toPrecision(1)))
}
