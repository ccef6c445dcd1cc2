import { writeFile } from 'node:fs/promises'
import { allowance, type Piece } from '../test/isolation/costs/piece.js'
import { closePieces, PIECES } from '../test/isolation/costs/pieces.js'
import { verificationMs, watchLoop } from '../test/isolation/costs/watch-loop.js'
import { costsPage } from './costs-page.js'
import { printTable, round } from './samples.js'

/**
 * `npm run bench -- costs [FILE]`: what each path of the server that is not cheap takes of the event loop at the largest input that it
 * takes, on average and at a stretch, in milliseconds and in checks of an Ed25519 signature, which is about the same on every machine.
 * With FILE (docs/costs.md) it writes that page. With --json it prints `[name, cost in signatures][]` and nothing else, for the test:
 * in Jest's sandbox everything takes several times as long.
 */
const ROUNDS = 5

export interface CostRow {
  readonly piece: Piece
  /** Milliseconds, as in `Watched`. */
  readonly loop: number
  readonly stretch: number
  /** What is compared with the allowance, in checks of a signature. */
  readonly units: number
}

async function measure(unit: number): Promise<CostRow[]> {
  const rows: CostRow[] = []
  for (const piece of PIECES) {
    const { loop, stretch } = await watchLoop(await piece.make(), ROUNDS)
    rows.push({ piece, loop, stretch, units: (piece.place === 'event loop' ? loop : stretch) / unit })
  }
  await closePieces()
  return rows
}

function print(rows: readonly CostRow[], unit: number): void {
  printTable(
    rows.map(({ piece, loop, stretch, units }) => ({
      path: piece.name,
      place: piece.place,
      'ms of the loop': round(loop),
      'ms at a stretch': round(stretch),
      'in signatures': Math.round(units),
      allowed: allowance(piece),
    })),
  )
  console.log(`A signature is checked in ${round(unit)} ms.`)
}

const unit = await verificationMs()
const rows = await measure(unit)
const [option] = process.argv.slice(2).filter((argument) => argument !== 'costs')
if (option === '--json') console.log(JSON.stringify(rows.map(({ piece, units }) => [piece.name, units])))
else print(rows, unit)
if (option?.endsWith('.md')) await writeFile(option, costsPage(rows))
