import { extendChain, initialChain } from '../log-chain.js'
import { signedHeadBytes } from '../mimi/microchat/heads.js'
import { EvidenceDocument, statementIn, type EvidenceHead } from './document.js'
import { areLinked, isSigned, readSignedDirectory, type DirectoryKey, type ReadDirectory } from './signed-directories.js'

/** Who has signed a head, as the file shows it. */
export interface Signer {
  readonly key: DirectoryKey
  readonly directory: ReadDirectory
}

/** `proven`: by whom and what, in sentences. `not-proven`: the first thing that is missing or wrong. */
export type EvidenceVerdict =
  | { readonly kind: 'proven'; readonly document: EvidenceDocument; readonly what: string; readonly signers: readonly [Signer, Signer] }
  | { readonly kind: 'not-proven'; readonly why: string }

/** The clocks of hub and follower may differ by as much. */
const TOLERATED_SECONDS = 300

/**
 * Checks a file of evidence with nothing but the file, and the keys that the reader knows to be the hub's, if any.
 * @param text JSON @param known public keys in base64url: then each of the file's directories has to lead to one of them
 */
export function verifyEvidence(text: string, known: readonly string[] = []): EvidenceVerdict {
  const document = parseDocument(text)
  if (!document) return no('the file is not evidence of a version that is known here')
  const directories = document.directories.flatMap((one) => readSignedDirectory(one) ?? [])
  const [first, second] = document.heads
  const signers = [signerOf(document.hub, first, directories), signerOf(document.hub, second, directories)] as const
  const [one, other] = signers
  if (typeof one === 'string') return no(`the first head: ${one}`)
  if (typeof other === 'string') return no(`the second head: ${other}`)
  if (!areLinked(directories, one.directory, other.directory)) return no('nothing shows that the keys of both heads are of one provider')
  const isKnown = (each: ReadDirectory) => known.some((x) => each.keys.some((key) => key.x === x))
  if (known.length > 0 && !directories.some((each) => isKnown(each) && areLinked(directories, each, one.directory)))
    return no('no directory of the file leads to a key that is known to be the hub’s')
  if (first.group_id !== second.group_id) return no('the heads are of two groups')
  const found = CONTRADICTIONS[document.kind](first, second)
  return found.kind === 'shown' ? { kind: 'proven', document, what: found.what, signers: [one, other] } : no(found.why)
}

function no(why: string): EvidenceVerdict {
  return { kind: 'not-proven', why }
}

function parseDocument(text: string): EvidenceDocument | undefined {
  try {
    return EvidenceDocument.safeParse(JSON.parse(text)).data
  } catch {
    return undefined // not JSON
  }
}

/** The key that has signed a head, in a directory of that time; otherwise what is wrong. */
function signerOf(hub: string, head: EvidenceHead, directories: readonly ReadDirectory[]): Signer | string {
  if (head.hub !== hub || !head.room.startsWith(`mimi://${hub}/r/`)) return 'it is of another hub'
  if (!leadsTo(head)) return 'its entries do not lead to its chain value'
  const at = head.signed_at_ms / 1000
  const signer = directories
    .filter(
      ({ domain, issuedAt, expiresAt }) => domain === hub && issuedAt <= at + TOLERATED_SECONDS && at <= expiresAt + TOLERATED_SECONDS,
    )
    .flatMap((directory) => directory.keys.map((key) => ({ key, directory })))
    .find(({ key }) => isKeyOf(key, head, at))
  if (!signer) return 'no key that a directory of that time names has signed it'
  return signer
}

function isKeyOf({ keyId, x, notBefore, notAfter }: DirectoryKey, head: EvidenceHead, at: number): boolean {
  const inForce = notBefore <= at + TOLERATED_SECONDS && (notAfter === undefined || at <= notAfter + TOLERATED_SECONDS)
  return inForce && keyId === head.key_id && isSigned(signedHeadBytes(statementIn(head)), x, head.signature)
}

function bytes(base64url: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64url, 'base64url'))
}

/** Chain values by seq, from the place before the entries to the head. */
function chainsOf({ after, links }: EvidenceHead): Map<number, string> {
  const chains = new Map([[after.seq, after.chain]])
  let chain = bytes(after.chain)
  for (const [index, { kind, epoch, hash }] of links.entries()) {
    const seq = after.seq + index + 1
    chain = extendChain(chain, { seq: BigInt(seq), kind, epoch: BigInt(epoch), hash: bytes(hash) })
    chains.set(seq, Buffer.from(chain).toString('base64url'))
  }
  return chains
}

function leadsTo(head: EvidenceHead): boolean {
  return head.after.seq + head.links.length === head.seq && chainsOf(head).get(head.seq) === head.chain
}

type Contradiction = { readonly kind: 'shown'; readonly what: string } | { readonly kind: 'none'; readonly why: string }

const CONTRADICTIONS: Record<EvidenceDocument['kind'], (first: EvidenceHead, second: EvidenceHead) => Contradiction> = {
  'two-histories': twoHistories,
  'new-incarnation': newIncarnation,
  'two-rooms': (first, second) =>
    first.room === second.room
      ? none('the heads are of one room')
      : shown(`has put one group into two rooms, ${first.room} and ${second.room}`),
  'two-modes': (first, second) =>
    first.mode === second.mode
      ? none('the heads are of one mode')
      : shown('has said of one group that it is public, and that it is private'),
}

function twoHistories(first: EvidenceHead, second: EvidenceHead): Contradiction {
  if (first.incarnation !== second.incarnation) return none('the heads are of two incarnations')
  const [one, other] = [chainsOf(first), chainsOf(second)]
  const place = [...one.keys()].find((seq) => other.has(seq) && other.get(seq) !== one.get(seq))
  if (place !== undefined)
    return shown(`has signed two histories of one group: they differ at seq ${place} of incarnation ${first.incarnation}`)
  const { resumed } = second
  const before = resumed && one.get(resumed.seq - 1)
  if (!resumed || before === undefined) return none('the two histories do not contradict each other')
  const link = { seq: BigInt(resumed.seq), kind: resumed.kind, epoch: BigInt(resumed.epoch), hash: bytes(resumed.hash) }
  const follows = Buffer.from(extendChain(bytes(before), link)).toString('base64url') === resumed.chain
  return follows
    ? none('the entry after the gap follows from what stood before it')
    : shown(
        `has signed two histories of one group: its entry ${resumed.seq} does not follow from seq ${resumed.seq - 1} of incarnation ${first.incarnation}`,
      )
}

/** That entries are gone, a new incarnation shows; whether the hub lost them or dropped them, nothing does. */
function newIncarnation(first: EvidenceHead, second: EvidenceHead): Contradiction {
  if (second.incarnation <= first.incarnation) return none('the second head is of no later incarnation')
  const { after, resumed } = second
  const start = Buffer.from(initialChain(bytes(second.group_id), second.incarnation)).toString('base64url')
  const begins =
    after.chain === start ? after.seq : resumed && resumed.seq === after.seq && resumed.chain === after.chain ? after.seq - 1 : undefined
  if (begins === undefined) return none('nothing shows where the new incarnation begins')
  if (begins >= first.seq) return none('the new incarnation begins after the first head, so nothing is gone')
  return shown(
    `has begun incarnation ${second.incarnation} of a group after seq ${begins}, although it had signed ${first.seq - begins} more entries in incarnation ${first.incarnation}`,
  )
}

function shown(what: string): Contradiction {
  return { kind: 'shown', what }
}

function none(why: string): Contradiction {
  return { kind: 'none', why }
}
