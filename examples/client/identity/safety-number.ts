import { createHash } from 'node:crypto'
import { join, vector } from '../mls/tls.js'

interface Identified {
  user: string
  identity: Uint8Array
}

/** Sixty digits that two people compare (docs/identity.md §6): the same for both, in groups of five. */
export function safetyNumber(one: Identified, other: Identified): string {
  const [first, second] = Buffer.compare(Buffer.from(one.user), Buffer.from(other.user)) <= 0 ? [one, other] : [other, one]
  return [...digits(first), ...digits(second)].join(' ')
}

/** As slow as that of Signal: a key that gives the same digits has to be looked for, and each try costs this. */
const ROUNDS = 5_200

function digits({ user, identity }: Identified): string[] {
  const its = vector(identity)
  let hash: Buffer = Buffer.from(join(Uint8Array.of(0, 1), vector(user), its))
  for (let round = 0; round < ROUNDS; round++) hash = createHash('sha512').update(hash).update(its).digest()
  return Array.from({ length: 6 }, (_, index) => (hash.readUIntBE(5 * index, 5) % 100_000).toString().padStart(5, '0'))
}
