import { decodeMlsMessage, getCiphersuiteFromName, getCiphersuiteImpl } from 'ts-mls'
import { decodeRatchetTree } from 'ts-mls/ratchetTree.js'
import { treeHashRoot } from 'ts-mls/treeHash.js'
import { applyUpdatePath } from 'ts-mls/updatePath.js'
import { round } from '../samples.js'

const REPEATS = 3

/** What ts-mls takes for a Commit with a path, in microseconds: the best of a few, for at 10,000 members each takes long. */
export async function tsMls(treeBytes: Uint8Array, commit: Uint8Array): Promise<Record<string, number>> {
  const { hash } = await getCiphersuiteImpl(getCiphersuiteFromName('MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'))
  const tree = decodeRatchetTree(treeBytes, 0)?.[0]
  const message = decodeMlsMessage(commit, 0)?.[0]
  if (tree === undefined || message?.wireformat !== 'mls_public_message') throw new Error('ts-mls does not decode')
  const { content } = message.publicMessage
  if (content.contentType !== 'commit' || content.commit.path === undefined || content.sender.senderType !== 'member')
    throw new Error('another Commit')
  const { path } = content.commit
  const leafIndex = content.sender.leafIndex as Parameters<typeof applyUpdatePath>[1]
  return {
    decode: await best(() => decodeMlsMessage(commit, 0)),
    'decode the tree': await best(() => decodeRatchetTree(treeBytes, 0)),
    'merge the path': await best(() => applyUpdatePath(tree, leafIndex, path, hash)),
    'hash the tree': await best(() => treeHashRoot(tree, hash)),
  }
}

async function best(work: () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const began = performance.now()
    await work()
    least = Math.min(least, performance.now() - began)
  }
  return round(1000 * least)
}
