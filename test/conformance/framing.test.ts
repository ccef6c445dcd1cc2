import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { compareFraming } from '../../src/protocol/mls/framing.js'
import { decodeMessage } from '../../src/protocol/mls/message.js'
import { Random } from '../fuzz/mutate.js'
import { describeVectors, fromHex } from '../support/vectors.js'
import { HISTORIES, type History } from './support/history.js'

const FIELDS = [
  'mls_welcome',
  'mls_group_info',
  'mls_key_package',
  'public_message_proposal',
  'public_message_commit',
  'private_message',
] as const

/** What the two readers make of it: `refused` is the strict reader's word, which ends the matter. */
function verdict(bytes: Uint8Array): string {
  const decoded = decodeMessage(bytes)
  if (decoded.kind === 'malformed') return 'refused'
  const compared = compareFraming(decoded.value)
  return compared.kind === 'agreed' ? 'agreed' : compared.field
}

function tally(messages: Iterable<Uint8Array>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const bytes of messages) {
    const word = verdict(bytes)
    counts[word] = (counts[word] ?? 0) + 1
  }
  return counts
}

describeVectors<Record<(typeof FIELDS)[number], string>>('messages', (cases) => {
  const messages = cases.flatMap((vector) => FIELDS.map((field) => fromHex(vector[field])))

  it('in all of them the two readers see the same framing', () => {
    expect(tally(messages)).toEqual({ agreed: messages.length })
  })

  it('where one byte is changed, in the header or anywhere, ts-mls sees the same in whatever the strict reader accepts', () => {
    const random = new Random(9420)
    const changed = messages.flatMap((bytes) => [40, 40, 40, bytes.length, bytes.length].map((below) => withOneByte(bytes, random, below)))
    const { agreed = 0, refused = 0, ...disagreed } = tally(changed)
    expect(disagreed).toEqual({})
    expect([agreed > 1_000, refused > 1_000]).toEqual([true, true])
  })
})

function withOneByte(bytes: Uint8Array, random: Random, below: number): Uint8Array {
  const changed = Uint8Array.from(bytes)
  changed[random.below(Math.min(below, bytes.length))] = random.below(256)
  return changed
}

for (const name of HISTORIES) {
  describeVectors<History>(name, (histories) => {
    it('in every message of every history the two readers see the same framing', () => {
      const messages = histories.flatMap(({ key_package, welcome, epochs }) => [
        key_package,
        welcome,
        ...epochs.flatMap(({ proposals, commit }) => [...proposals, commit]),
      ])
      expect(tally(messages.map(fromHex))).toEqual({ agreed: messages.length })
    })
  })
}

describe('of ts-mls the server loads', () => {
  /** Prints the modules that an entry of dist/ loads of the package; the first argument names the entry. */
  const LOADED = `
    import { registerHooks } from 'node:module'
    const loaded = new Set()
    registerHooks({ load(url, context, next) {
      const [, name] = /node_modules[/]ts-mls(?:-client)?[/]dist[/]src[/](.*)$/.exec(url) ?? []
      if (name) loaded.add(name)
      return next(url, context)
    } })
    await import(process.argv[1])
    process.stdout.write([...loaded].sort().join(' '))
    process.exit()`

  /** `crypto/kdf.js` writes down labels for a KDF that its caller has to bring: sender.js imports it, and nothing here calls it. */
  const ALLOWED = [
    'codec/number.js',
    'codec/tlsDecoder.js',
    'codec/tlsEncoder.js',
    'codec/variableLength.js',
    'contentType.js',
    'crypto/kdf.js',
    'mlsError.js',
    'protocolVersion.js',
    'sender.js',
    'util/byteArray.js',
    'util/enumHelpers.js',
    'wireformat.js',
  ]

  it('twelve small modules, none of which can decrypt', () => {
    const server = join(process.cwd(), 'dist/app/server.js')
    const loaded = execFileSync(process.execPath, ['--input-type=module', '--eval', LOADED, server], { encoding: 'utf8' })
    expect(loaded.split(' ')).toEqual(ALLOWED)
  })
})
