import type { Mode } from '../../examples/client/store.js'
import { CERTIFIED_OPERATIONS } from './certified.js'
import { OPERATIONS } from './operations.js'
import { Refused, type Identities, type StackName } from './participant.js'
import { Room } from './room.js'

/** Which stacks meet, and in which cipher suites all of them can. */
export interface Lineup {
  readonly name: string
  readonly stacks: readonly StackName[]
  readonly suites: readonly number[]
  readonly identities?: Identities
}

/** Suites 4, 5 and 6 (X448, P-521) are in none of these builds of the libraries. */
export const LINEUPS: readonly Lineup[] = [
  { name: 'OpenMLS', stacks: ['openmls'], suites: [1, 2, 3] },
  { name: 'mls-rs', stacks: ['mls-rs'], suites: [1, 2, 3, 7] },
  { name: 'ts-mls', stacks: ['ts-mls'], suites: [1, 2, 3, 7] },
  { name: 'all three', stacks: ['openmls', 'mls-rs', 'ts-mls'], suites: [1, 2, 3] },
  { name: 'mls-rs and ts-mls', stacks: ['mls-rs', 'ts-mls'], suites: [7] },
  { name: 'all three, certified', stacks: ['openmls', 'mls-rs', 'ts-mls'], suites: [1, 2], identities: 'certified' },
  { name: 'all three, certificates required', stacks: ['openmls', 'mls-rs', 'ts-mls'], suites: [1, 2], identities: 'required' },
]

export type Result = { kind: 'passed' } | { kind: 'unsupported' } | { kind: 'failed'; reason: string }

/** All operations by four devices of these stacks in turn. What a failure keeps from being tried fails as well. */
export async function runOperations(
  url: string,
  mode: Mode,
  suite: number,
  { stacks, identities = 'any' }: Pick<Lineup, 'stacks' | 'identities'>,
  wanted = '',
): Promise<Map<string, Result>> {
  const rooms = [new Room(url, mode, suite, identities)]
  const [room] = rooms as [Room]
  const anotherRoom = () => {
    const other = new Room(url, mode, suite, identities)
    rooms.push(other)
    return other
  }
  const results = new Map<string, Result>()
  try {
    const at = (index: number): StackName => stacks[index % stacks.length] ?? 'ts-mls'
    const device = (index: number) => room.device(at(index), 30)
    const devices = [await device(0), await device(1), await device(2), await device(3)] as const
    const cast = { room, devices, stacks: [at(0), at(1), at(2), at(3)], anotherRoom }
    const all = identities === 'any' ? OPERATIONS : [...OPERATIONS, ...CERTIFIED_OPERATIONS]
    const operations = all.filter(({ name }) => name.includes(wanted))
    for (const operation of operations) results.set(operation.name, await outcome(() => operation.run(cast)))
  } finally {
    for (const one of rooms) await one.close()
  }
  return results
}

async function outcome(work: () => Promise<void>): Promise<Result> {
  try {
    await work()
    return { kind: 'passed' }
  } catch (error) {
    if (error instanceof Refused && error.kind === 'unsupported') return { kind: 'unsupported' }
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Every rotation, so that each stack plays every part. */
export function rotations(stacks: readonly StackName[]): StackName[][] {
  return stacks.map((_, start) => [...stacks.slice(start), ...stacks.slice(0, start)])
}
