import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { CliError, print } from './command.js'

/** A file of the repository that is made from the sources. From src/app/cli as well as from dist/app/cli. */
export async function writeOrCheck(path: string, text: string, check: boolean): Promise<void> {
  const file = fileURLToPath(new URL(`../../../${path}`, import.meta.url))
  if (!check) {
    await writeFile(file, text)
    return print(`${path} written`)
  }
  const found = await readFile(file, 'utf8').catch(() => '')
  if (found !== text) throw new CliError(`${path} does not say what the sources say. ${firstDifference(found, text)}`)
  print(`${path} is up to date`)
}

function firstDifference(found: string, expected: string): string {
  const [a, b] = [found.split('\n'), expected.split('\n')]
  const line = b.findIndex((text, index) => text !== a[index])
  return `First difference in line ${(line === -1 ? b.length : line) + 1}: "${a[line] ?? ''}", expected "${b[line] ?? ''}".`
}
