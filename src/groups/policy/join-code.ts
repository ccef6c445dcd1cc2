import { createHash } from 'node:crypto'

export function hashOfCode(code: string): Buffer {
  return createHash('sha256').update('microchat join code\0').update(code).digest()
}
