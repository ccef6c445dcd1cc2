import { createHash } from 'node:crypto'
import { join, vector } from './tls.js'

interface Identified {
  user: string
  identity: Uint8Array
}

/** Sixty digits that two people compare (docs/identity.md §6): the same for both, in groups of five. */
export function safetyNumber(one: Identified, other: Identified): string {
  const [first, second] = Buffer.compare(Buffer.from(one.user), Buffer.from(other.user)) <= 0 ? [one, other] : [other, one]
  return [...digits(first), ...digits(second)].join(' ')
}

function digits({ user, identity }: Identified): string[] {
  const hash = createHash('sha512')
    .update(join(Uint8Array.of(0, 1), vector(user), vector(identity)))
    .digest()
  return Array.from({ length: 6 }, (_, index) => (hash.readUIntBE(5 * index, 5) % 100_000).toString().padStart(5, '0'))
}
