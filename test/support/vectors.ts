import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, it } from '@jest/globals'

const folder = process.env['MLS_TEST_VECTORS'] ?? join(process.cwd(), '..', 'shared', 'vectors')

/**
 * Declares tests over one file of the MLS working group's test vectors, or a skipped test that says by name what is missing.
 * The files are not part of this repository: they are the folder test-vectors of github.com/mlswg/mls-implementations,
 * gzipped; MLS_TEST_VECTORS names the folder they are in.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows the shape of the file it names
export function describeVectors<Case>(name: string, declare: (cases: Case[]) => void): void {
  const file = join(folder, `${name}.json.gz`)
  describe(`official vectors: ${name}`, () => {
    if (existsSync(file)) declare(JSON.parse(gunzipSync(readFileSync(file)).toString()) as Case[])
    else it.skip(`are not in ${folder}: set MLS_TEST_VECTORS`, () => undefined)
  })
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}
