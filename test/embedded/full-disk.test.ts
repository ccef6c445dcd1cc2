import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import type { Binaries } from '../../src/app/embedded/binaries.js'
import { initialise } from '../../src/app/embedded/initialise.js'
import { startPostmaster } from '../../src/app/embedded/postmaster.js'
import { newFolder } from './embedded-server.js'

/** A program that replaces every one of PostgreSQL: prints `says`, and fails. */
async function failing(folder: string, says: string): Promise<Binaries> {
  const program = join(folder, 'program')
  await writeFile(program, `#!/bin/sh\necho "${says}" >&2\nexit 1\n`)
  await chmod(program, 0o755)
  return { initdb: program, postgres: program }
}

const FULL = 'FATAL:  could not extend file: No space left on device'

describe('a full disk is one sentence, whatever PostgreSQL writes about it,', () => {
  it('when the data folder is made', async () => {
    const folder = await newFolder()
    const path = join(folder, 'postgres')
    await expect(initialise({ path, user: undefined }, await failing(folder, FULL))).rejects.toThrow(
      new Error(`There is no room left on the disk for ${path}.`),
    )
  })

  it('when PostgreSQL starts', async () => {
    const path = await newFolder()
    await expect(startPostmaster({ path, user: undefined }, await failing(path, FULL), {})).rejects.toThrow(
      new Error(`There is no room left on the disk for ${path}.`),
    )
  })

  it('and of what is not known, its own words are shown', async () => {
    const folder = await newFolder()
    const cluster = { path: join(folder, 'postgres'), user: undefined }
    await expect(initialise(cluster, await failing(folder, 'FATAL:  something else'))).rejects.toThrow(
      /failed \(1\):\nFATAL: {2}something else$/,
    )
  })
})
