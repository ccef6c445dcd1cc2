import type { KeyObject } from 'node:crypto'
import { extendList } from '../../../src/protocol/identity/list.js'
import { ListMaker, privateKey, seconds } from '../../support/mls/device-lists.js'
import type { Piece } from './piece.js'
import { right } from './piece.js'

const USER = 'mimi://a.example/u/alice'
const MOST_KEYS = 16

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
]

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
