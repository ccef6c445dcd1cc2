import { readHead, readList } from '../../examples/client/identity/list.js'
import { IdentityRefused } from '../../examples/client/identity/refused.js'
import { RIGHTS } from '../../src/protocol/identity/entry.js'
import { checkHead } from '../../src/protocol/identity/head.js'
import { extendList } from '../../src/protocol/identity/list.js'
import { decodeWhole } from '../../src/protocol/tls/reader.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { ListMaker, privateKey } from '../support/mls/device-lists.js'
import type { Target } from './targets.js'

const USER = 'mimi://example.com/u/alice'
const NOW = 1_800_000_000n
/** More than a list can have. */
const MAX_ENTRIES = 1_024

/** Device lists and heads (docs/identity.md), by the server and by the example client: they have to say the same. */
export async function identityTargets(): Promise<Target[]> {
  const [short, long] = [await usual(), await renewals()]
  const list = await extendList(USER, undefined, short.entries, NOW)
  if (list.kind === 'broken') throw new Error(list.rule)
  const head = await short.head(short.root)
  const known = readList(USER, short.entries, NOW)
  return [
    { name: 'device list', seeds: [joined(short.entries), joined(long.entries)], run: deviceList },
    {
      name: 'device list head',
      seeds: [head],
      run: async (bytes) =>
        same(
          verdict(() => readHead(known, bytes, NOW)),
          await checkHead(list.value, bytes, NOW),
        ),
    },
  ]
}

async function deviceList(bytes: Uint8Array): Promise<string> {
  const split = decodeWhole(bytes, (reader) => reader.vector(MAX_ENTRIES, (item) => item.opaque()))
  const entries = split.kind === 'decoded' ? split.value : [bytes]
  return same(
    verdict(() => readList(USER, entries, NOW)),
    await extendList(USER, undefined, entries, NOW),
  )
}

function verdict(read: () => unknown): string {
  try {
    read()
    return 'valid'
  } catch (error) {
    if (error instanceof IdentityRefused) return error.rule ?? error.reason
    throw error
  }
}

function same(client: string, { kind, ...server }: { kind: string; rule?: string }): string {
  if (client !== (server.rule ?? kind)) throw new Error(`the client says ${client}, the server ${server.rule ?? kind}`)
  return client
}

const joined = (entries: readonly Uint8Array[]) => new TlsWriter().vector(entries, (item, entry) => item.opaque(entry)).written()

/** Holders of each kind, a renewal and a revocation. */
async function usual(): Promise<ListMaker> {
  const list = await ListMaker.begin(USER, privateKey(), NOW)
  const phone = await list.certify(list.root, 'mimi://example.com/d/alice/phone', privateKey())
  await list.certify(phone, '', privateKey(), { kind: 'recovery-key', rights: RIGHTS.enrol })
  const ghost = await list.certify(phone, 'mimi://example.com/d/alice/ghost', privateKey())
  await list.certify(phone, 'mimi://example.com/d/alice/phone', phone.key)
  await list.revoke(list.root, list.number, ghost.number)
  return list
}

/** Renewals of one device, each of which hangs from all before it, and a revocation that asks about them: four times what one request may bring. */
async function renewals(): Promise<ListMaker> {
  const list = await ListMaker.begin(USER, privateKey(), NOW)
  let phone = await list.certify(list.root, 'mimi://example.com/d/alice/phone', privateKey())
  while (list.number < 64) phone = await list.certify(phone, 'mimi://example.com/d/alice/phone', phone.key)
  await list.revoke(list.root, phone.number, 2)
  return list
}
