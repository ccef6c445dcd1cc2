import { randomBytes, type KeyObject } from 'node:crypto'
import { beginsWith } from '../../../src/federation/device-lists/list-copies.js'
import { judgeCertificates } from '../../../src/groups/roster/certified-leaves.js'
import type { LeafDevices, ListedLeaf, NamedLeaf } from '../../../src/groups/roster/roster.repository.js'
import { encodeCbor } from '../../../src/platform/http/encode.js'
import { extendList } from '../../../src/protocol/identity/list.js'
import { readCbor } from '../../../src/protocol/strict-cbor.js'
import { ListMaker, privateKey, seconds } from '../../support/mls/device-lists.js'
import { newKey, type Key } from '../../support/mls/forge-keys.js'
import type { Piece } from './piece.js'
import { right } from './piece.js'

const USER = 'mimi://a.example/u/alice'
const MOST_KEYS = 16
const ADDS = 2_000

/** Device lists (docs/identity.md). */
export const IDENTITY_PIECES: readonly Piece[] = [
  {
    name: 'entries of a device list, 16 with 16 keys each',
    place: 'slices',
    bounded: 'device-list-changes',
    make: async () => {
      const list = await ListMaker.begin(USER)
      for (let device = 1; device < MOST_KEYS; device++) {
        const keys = Array.from({ length: MOST_KEYS }, () => privateKey())
        await certify(list, `mimi://a.example/d/alice/${device}`, keys)
      }
      return () => right('valid', extendList(USER, undefined, list.entries, seconds()))
    },
  },
  {
    name: 'longest device list, read again',
    place: 'slices',
    bounded: 'device-list-changes; a list is kept once it was read',
    allowed: 200,
    because: 'what one entry takes grows with the list, whose certificates it is compared with',
    make: async () => {
      const list = await fullList()
      return () => right('valid', extendList(USER, undefined, list.entries, seconds()))
    },
  },
  {
    name: 'device list of another provider, of 1 MiB, decoded and compared with its copy',
    place: 'event loop',
    bounded: 'device-lists-elsewhere; one at a time for a user',
    make: async () => {
      const entries = Array.from({ length: 64 }, () => randomBytes(16_384))
      const body = encodeCbor({ user: USER, identities: 1, entries, head: randomBytes(200) })
      return () => {
        const { entries: read } = readCbor(body) as { entries: Uint8Array[] }
        if (!beginsWith(read, entries)) throw new Error('They differ')
      }
    },
  },
  {
    name: `certificates of ${ADDS} Adds`,
    place: 'slices',
    bounded: 'a lock on the group; MAX_ADDS',
    make: async () => {
      const { leaves, devices } = await certifiedAdds(ADDS)
      return async () => {
        const { certified } = await judgeCertificates(leaves, devices, 'shown', new Set(), 'a.example')
        if (certified.size < ADDS) throw new Error('A piece was refused')
      }
    },
  },
]

/** Adds of devices of as many users, each with its key and certificate, and what the database says of them. */
export async function certifiedAdds(count: number): Promise<{ leaves: NamedLeaf[]; devices: LeafDevices; keys: Key[] }> {
  const directory: LeafDevices['directory'] = new Map()
  const listed = new Map<string, ListedLeaf>()
  const keys = Array.from({ length: count }, () => newKey())
  const leaves: NamedLeaf[] = []
  for (const [at, { publicKey, privateKey: secret }] of keys.entries()) {
    const client = `mimi://a.example/d/user${at}/phone`
    const list = await ListMaker.begin(`mimi://a.example/u/user${at}`)
    await list.certify(list.root, client, secret)
    const [, certificate = null] = list.entries
    const known = { identity: list.identity, listNumber: 2, number: 2, certificate, shown: certificate, ended: null, ending: null }
    leaves.push({ client, publicKey, extension: list.leafCertificate(2) })
    directory.set(client, { deviceId: BigInt(at), userId: BigInt(at), revoked: false, banned: false, admin: false })
    listed.set(client, { ...known, ofOtherIdentity: [] })
  }
  return { leaves, devices: { directory, unregistered: new Set(), listed }, keys }
}

/** As long as a list can be: devices come and go, and the last entries revoke. */
async function fullList(): Promise<ListMaker> {
  const list = await ListMaker.begin(USER)
  const active: number[] = []
  while (list.number < 960) {
    if (active.length === 32) await list.revoke(list.root, active.shift() ?? 0)
    else {
      await certify(list, `mimi://a.example/d/alice/${list.number}`, [privateKey()])
      active.push(list.number)
    }
  }
  for (const number of active) await list.revoke(list.root, number)
  return list
}

async function certify(list: ListMaker, client: string, keys: readonly KeyObject[]) {
  await list.append(list.root, { type: 'certificate', certificate: await list.certificate(client, keys) })
}
