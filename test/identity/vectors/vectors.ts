import { recoveryKey } from '../../../examples/client/identity/recovery-words.js'
import { safetyNumber } from '../../../examples/client/identity/safety-number.js'
import { toHex } from '../../../examples/client/wire.js'
import type { Vectors } from './vector-format.js'
import { headOrder, heads } from './vector-heads.js'
import { leaves } from './vector-leaves.js'
import { broken, extended, nearlyFull } from './vector-lists.js'
import { ed, USER, WrittenList } from './vector-maker.js'
import { base, WORDS } from './vector-steps.js'

export async function makeVectors(): Promise<Vectors> {
  const lists = [...(await extended()), ...(await nearlyFull()), ...(await broken()), ...(await heads())]
  const other = await WrittenList.begin(ed(8))
  const users = [
    { user: USER, identity: toHex((await base()).list.identity) },
    { user: 'mimi://b.example/u/bob', identity: toHex(other.identity) },
  ]
  const [one, two] = users.map(({ user, identity }) => ({ user, identity: new Uint8Array(Buffer.from(identity, 'hex')) }))
  return {
    lists,
    head_order: await headOrder(),
    leaves: await leaves(),
    safety_numbers: [{ users, safety_number: safetyNumber(one!, two!) }],
    recovery_words: [{ words: WORDS, public_key: toHex(recoveryKey(WORDS).publicKey) }],
  }
}
