import { KIND_OF_LETTER } from '../../protocol/log-chain.js'
import { EvidenceHead, statementIn } from '../../protocol/evidence/document.js'
import type { LogRow } from '../../delivery/read/entry.js'
import type { CheckedHead } from './signed-heads.js'

/** What a proof needs of an entry. */
export type StoredLink = Pick<LogRow, 'seq' | 'kind' | 'epoch' | 'hash' | 'chain'>

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
const bytes = (base64url: string): Buffer => Buffer.from(base64url, 'base64url')

/** A head as a file of evidence has it, with the entries between a place and it. */
export function headOfEvidence(
  { statement, keyId, signature }: CheckedHead,
  after: { seq: bigint; chain: Uint8Array },
  links: readonly StoredLink[],
): EvidenceHead {
  const { resumed } = statement
  return {
    hub: statement.hub,
    follower: statement.follower,
    room: statement.roomId,
    group_id: text(statement.groupId),
    mode: statement.mode,
    incarnation: statement.incarnation,
    seq: Number(statement.seq),
    chain: text(statement.chain),
    signed_at_ms: Number(statement.signedAtMs),
    ...(resumed && { resumed: { seq: Number(resumed.seq), ...linkOf(resumed), chain: text(resumed.chain) } }),
    key_id: keyId,
    signature: text(signature),
    after: { seq: Number(after.seq), chain: text(after.chain) },
    links: links.map(linkOf),
  }
}

function linkOf({ kind, epoch, hash }: Pick<StoredLink, 'kind' | 'epoch' | 'hash'>): EvidenceHead['links'][number] {
  return { kind: KIND_OF_LETTER[kind], epoch: Number(epoch), hash: text(hash) }
}

/** A head as it is kept beside a replica. */
export function writeHead(head: CheckedHead): string {
  const { seq, chain } = head.statement
  return JSON.stringify(headOfEvidence(head, { seq, chain }, []))
}

/** The opposite of `writeHead`. */
export function readHead(json: string): CheckedHead {
  const head = EvidenceHead.parse(JSON.parse(json))
  return { statement: statementIn(head), keyId: head.key_id, signature: bytes(head.signature) }
}
