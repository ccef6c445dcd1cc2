import { expect, it } from '@jest/globals'
import { HASH_OF_SUITE, refHash } from '../../src/protocol/mls/hashes.js'
import { SCHEME_OF_SUITE, verifyWithLabel } from '../../src/protocol/mls/signature.js'
import { makeGroupContext } from '../../src/protocol/mls/structures/group-info.js'
import { readPublicMessage } from '../../src/protocol/mls/structures/public-message.js'
import { confirmedTranscriptHash, interimTranscriptHash } from '../../src/protocol/public-group/state.js'
import { decodeWhole } from '../../src/protocol/tls/reader.js'
import { decoded, publicMessage } from '../support/mls/follower.js'
import { describeVectors, fromHex } from '../support/vectors.js'

interface CryptoBasics {
  cipher_suite: number
  ref_hash: { label: string; value: string; out: string }
  sign_with_label: { pub: string; label: string; content: string; signature: string }
}

describeVectors<CryptoBasics>('crypto-basics', (cases) => {
  it.each(cases)('RefHash of suite $cipher_suite', ({ cipher_suite, ref_hash: { label, value, out } }) => {
    expect(refHash(cipher_suite, label, fromHex(value))).toEqual(Buffer.from(out, 'hex'))
  })

  it.each(cases)('VerifyWithLabel of suite $cipher_suite', async ({ cipher_suite, sign_with_label: signed }) => {
    const scheme = SCHEME_OF_SUITE.get(cipher_suite) as number
    const check = (label: string) => verifyWithLabel(scheme, fromHex(signed.pub), label, fromHex(signed.content), fromHex(signed.signature))
    expect(await check(signed.label)).toBe(true)
    expect(await check('AnotherLabel')).toBe(false)
  })
})

interface TranscriptHashes {
  cipher_suite: number
  authenticated_content: string
  interim_transcript_hash_before: string
  confirmed_transcript_hash_after: string
  interim_transcript_hash_after: string
}

describeVectors<TranscriptHashes>('transcript-hashes', (cases) => {
  it.each(cases)('of suite $cipher_suite', (vector) => {
    // An AuthenticatedContent is a PublicMessage less the version before it and the membership tag behind: add both.
    const bytes = fromHex(`0001${vector.authenticated_content}00`)
    const commit = decoded(
      decodeWhole(bytes, (reader) => {
        reader.uint32()
        return readPublicMessage(reader, 0)
      }),
    )
    const algorithm = HASH_OF_SUITE.get(vector.cipher_suite) as 'sha256'
    const confirmed = confirmedTranscriptHash(algorithm, fromHex(vector.interim_transcript_hash_before), commit)
    expect(confirmed).toEqual(Buffer.from(vector.confirmed_transcript_hash_after, 'hex'))
    const tag = commit.content.kind === 'commit' ? commit.content.confirmationTag : new Uint8Array()
    const interim = interimTranscriptHash(algorithm, confirmed, tag)
    expect(interim).toEqual(Buffer.from(vector.interim_transcript_hash_after, 'hex'))
  })
})

interface MessageProtection {
  cipher_suite: number
  group_id: string
  epoch: number
  tree_hash: string
  confirmed_transcript_hash: string
  signature_pub: string
  proposal_pub: string
  commit_pub: string
}

describeVectors<MessageProtection>('message-protection', (cases) => {
  it.each(cases)('public messages of suite $cipher_suite are signed over their content and the GroupContext', async (vector) => {
    const { bytes: groupContext } = makeGroupContext({
      version: 1,
      cipherSuite: vector.cipher_suite,
      groupId: fromHex(vector.group_id),
      epoch: BigInt(vector.epoch),
      treeHash: fromHex(vector.tree_hash),
      confirmedTranscriptHash: fromHex(vector.confirmed_transcript_hash),
      extensions: [],
    })
    const [scheme, key] = [SCHEME_OF_SUITE.get(vector.cipher_suite) as number, fromHex(vector.signature_pub)]
    for (const { tbs, signature } of [publicMessage(fromHex(vector.proposal_pub)), publicMessage(fromHex(vector.commit_pub))]) {
      const content = Buffer.concat([tbs, groupContext])
      expect(await verifyWithLabel(scheme, key, 'FramedContentTBS', content, signature)).toBe(true)
      expect(await verifyWithLabel(scheme, key, 'FramedContentTBS', tbs, signature)).toBe(false)
    }
  })
})
