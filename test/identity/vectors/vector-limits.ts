import { DAY } from '../../../examples/client/identity/list.js'
import type { Author } from '../../../examples/client/identity/making.js'
import { recoveryKey } from '../../../examples/client/identity/recovery-words.js'
import { RIGHTS } from '../../../examples/client/identity/structures.js'
import { ed, WrittenList } from './vector-maker.js'
import { WORDS, type Story } from './vector-steps.js'

/** Who may still write when a list is nearly used up. */
interface Full {
  list: WrittenList
  root: Author
  phone: Author
  /** A recovery key that the identity key has certified. */
  words: Author
  /** One that the phone has certified. */
  young: Author
}

const RECOVERY = { kind: 'recovery-key', subject: '', rights: 0 } as const

async function begun(): Promise<Full> {
  const root = { number: 1, key: ed(1) }
  const list = await WrittenList.begin(root.key)
  const phone = { number: await list.certify(root, [ed(2)]), key: ed(2) }
  const [words, enrol] = [recoveryKey(WORDS), { ...RECOVERY, rights: RIGHTS.enrol }]
  const own = { number: await list.certify(root, [words], enrol), key: words }
  const young = { number: await list.certify(phone, [ed(3)], enrol), key: ed(3) }
  return { list, root, phone, words: own, young }
}

/** 24 certificates are active. */
async function active24(): Promise<Full> {
  const full = await begun()
  for (let index = 0; index < 21; index++) await another(full, full.phone)
  return full
}

/** The last entry that a device may certify by is used. */
async function entries864(): Promise<Full> {
  const full = await begun()
  const { list, phone } = full
  phone.number = await list.certify(phone, [phone.key])
  while (list.entries.length < 863) await list.revoke(phone, await another(full, phone))
  await another(full, phone)
  return full
}

/** The last entry that anybody may certify by is used. */
async function entries960(): Promise<Full> {
  const full = await entries864()
  const { list, phone, words } = full
  await list.revoke(phone, 864)
  while (list.entries.length < 959) await list.revoke(phone, await another(full, words))
  await another(full, words)
  return full
}

/** One more recovery key. */
function another({ list }: Full, by: Author): Promise<number> {
  return list.certify(by, [ed(1000 + list.entries.length)], RECOVERY)
}

const later = (seconds: bigint, step: (full: Full) => Promise<unknown>) => (full: Full) => {
  full.list.now += seconds
  return step(full)
}
const renewed = ({ list, phone }: Full) => list.certify(phone, [phone.key])

const AFTER_24: readonly Story<Full>[] = [
  ['a 25th holder by a device', 'certificate-number', (full) => another(full, full.phone)],
  ['a 25th holder by a recovery key that a device certified just now', 'certificate-number', (full) => another(full, full.young)],
  [
    'a 25th holder by a recovery key that a device certified less than a week ago',
    'certificate-number',
    later(7n * DAY - 1n, (full) => another(full, full.young)),
  ],
  [
    'a 25th holder by a recovery key that a device certified a week ago',
    'valid',
    later(7n * DAY, (full) => another(full, full.young)),
    ['certificate-number'],
  ],
  ['a 25th holder by a recovery key that the identity key certified', 'valid', (full) => another(full, full.words), ['certificate-number']],
  ['a device that renews itself as one of 24', 'valid', renewed, ['certificate-number']],
  [
    '32 holders, and a device renews itself',
    'valid',
    async (full) => {
      for (let index = 0; index < 8; index++) await another(full, full.root)
      await renewed(full)
    },
    ['certificate-number'],
  ],
  [
    'a 33rd holder by the identity key',
    'certificate-number',
    async (full) => {
      for (let index = 0; index < 9; index++) await another(full, full.root)
    },
  ],
]

const AFTER_864: readonly Story<Full>[] = [
  ['entry 865 certifies by a device', 'entry-number', (full) => another(full, full.phone)],
  ['entry 865 renews a device', 'entry-number', renewed],
  ['entry 865 revokes', 'valid', ({ list, phone }) => list.revoke(phone, 864), ['entry-number']],
  ['entry 865 certifies by the identity key', 'valid', (full) => another(full, full.root), ['entry-number']],
  [
    'entry 865 certifies by a recovery key that a device certified',
    'entry-number',
    later(7n * DAY - 1n, (full) => another(full, full.young)),
  ],
  ['entry 865 certifies by one that is a week old', 'valid', later(7n * DAY, (full) => another(full, full.young)), ['entry-number']],
]

const AFTER_960: readonly Story<Full>[] = [
  ['entry 961 certifies by a recovery key', 'entry-number', (full) => another(full, full.words)],
  ['entry 961 certifies by the identity key', 'entry-number', (full) => another(full, full.root)],
  ['entry 961 revokes', 'valid', ({ list, phone }) => list.revoke(phone, 960), ['entry-number']],
]

/** Lists that are nearly used up, each with what may follow and what may not. */
export const NEARLY_FULL: readonly { name: string; after?: string; make: () => Promise<Full>; stories: readonly Story<Full>[] }[] = [
  { name: '24 holders', make: active24, stories: AFTER_24 },
  { name: '864 entries', make: entries864, stories: AFTER_864 },
  { name: '960 entries', after: '864 entries', make: entries960, stories: AFTER_960 },
]
