import type { LogRow } from '../../delivery/read/entry.js'
import type { OutgoingWelcome } from './outgoing.repository.js'

type Addressed = Pick<OutgoingWelcome, 'seq' | 'bytes' | 'clients'>

/** As many of the rows as fit into so many bytes with their Welcomes, and at least one; `left` is the room that remains. */
export function takeWhileFits<Row extends Pick<LogRow, 'seq' | 'bytes'>>(
  rows: readonly Row[],
  welcomes: readonly Addressed[],
  bytes: number,
): { rows: readonly Row[]; left: number } {
  let left = bytes
  for (const [index, row] of rows.entries()) {
    const size = row.bytes.length + sum(welcomes.filter(({ seq }) => seq === row.seq).map(sizeOf))
    if (size > left && index > 0) return { rows: rows.slice(0, index), left }
    left -= size
  }
  return { rows, left }
}

function sizeOf({ bytes, clients }: Addressed): number {
  return bytes.length + sum(clients.map(({ length }) => length))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
