import { describe, expect, it } from '@jest/globals'
import { decodeMlsMessage, encodeMlsMessage, type MLSMessage } from 'ts-mls'
import { decodeMessage, type MlsMessage } from '../../src/protocol/mls/message.js'
import { readProposal } from '../../src/protocol/mls/structures/proposal.js'
import { decodeRatchetTree, encodeRatchetTree } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { decodeWhole, TlsReader } from '../../src/protocol/tls/reader.js'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import { encodeGroupInfo, encodeKeyPackage, encodePrivateMessage, encodeProposal, encodeTree, writeSender } from '../support/mls/encode.js'
import { decoded } from '../support/mls/follower.js'
import { describeVectors, fromHex } from '../support/vectors.js'

const PROPOSAL_FIELDS = {
  add_proposal: '0001',
  update_proposal: '0002',
  remove_proposal: '0003',
  pre_shared_key_proposal: '0004',
  re_init_proposal: '0005',
  external_init_proposal: '0006',
  group_context_extensions_proposal: '0007',
} as const

const MESSAGE_FIELDS = [
  'mls_welcome',
  'mls_group_info',
  'mls_key_package',
  'public_message_proposal',
  'public_message_commit',
  'private_message',
] as const

type Fields = (typeof MESSAGE_FIELDS)[number] | keyof typeof PROPOSAL_FIELDS | 'ratchet_tree' | 'public_message_application'

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** Encodes again from the fields; what the server keeps no fields of (ciphertexts) is compared with ts-mls below. */
function reencode({ wireFormat, body, bytes }: MlsMessage): Uint8Array {
  switch (wireFormat) {
    case 'key-package':
      return new TlsWriter().uint32(0x0001_0005).raw(encodeKeyPackage(body)).written()
    case 'group-info':
      return new TlsWriter().uint32(0x0001_0004).raw(encodeGroupInfo(body)).written()
    case 'private-message':
      return new TlsWriter().uint32(0x0001_0002).raw(encodePrivateMessage(body)).written()
    case 'public-message': {
      if (body.content.kind === 'commit') return bytes
      const writer = new TlsWriter().uint32(0x0001_0001).opaque(body.groupId).uint64(body.epoch)
      writeSender(writer, body.sender).opaque(body.authenticatedData).uint8(2).raw(encodeProposal(body.content.proposal))
      return writer
        .opaque(body.signature)
        .opaque(body.membershipTag ?? new Uint8Array())
        .written()
    }
    case 'welcome':
      return bytes
  }
}

/** What both libraries should see in a Commit or a Welcome. */
function seenByTsMls(bytes: Uint8Array): unknown {
  const message = decodeMlsMessage(bytes, 0)?.[0] as MLSMessage
  expect(hex(encodeMlsMessage(message))).toBe(hex(bytes))
  if (message.wireformat === 'mls_welcome') return message.welcome.secrets.map(({ newMember }) => hex(newMember))
  if (message.wireformat !== 'mls_public_message' || message.publicMessage.content.contentType !== 'commit') return undefined
  const { proposals, path } = message.publicMessage.content.commit
  const nodes = path?.nodes.map((node) => [hex(node.hpkePublicKey), node.encryptedPathSecret.length])
  return { proposals: proposals.length, leaf: path && hex(path.leafNode.signature), nodes }
}

function seenHere({ wireFormat, body }: MlsMessage): unknown {
  if (wireFormat === 'welcome') return body.refs.map(hex)
  if (wireFormat !== 'public-message' || body.content.kind !== 'commit') return undefined
  const { proposals, path } = body.content
  const nodes = path?.nodes.map((node) => [hex(node.encryptionKey), node.ciphertexts])
  return { proposals: proposals.length, leaf: path && hex(path.leafNode.signature), nodes }
}

describeVectors<Record<Fields, string>>('messages', (cases) => {
  it.each(MESSAGE_FIELDS)('%s decodes, encodes to the same bytes, and holds what ts-mls sees in it', (field) => {
    for (const vector of cases) {
      const message = decoded(decodeMessage(fromHex(vector[field])))
      expect(hex(reencode(message))).toBe(vector[field])
      expect(seenHere(message)).toEqual(seenByTsMls(fromHex(vector[field])))
    }
  })

  it.each(Object.entries(PROPOSAL_FIELDS))('%s decodes and encodes to the same bytes', (field, type) => {
    for (const vector of cases) {
      const bytes = type + vector[field as keyof typeof PROPOSAL_FIELDS]
      expect(hex(encodeProposal(decoded(decodeWhole(fromHex(bytes), readProposal))))).toBe(bytes)
    }
  })

  it('ratchet_tree decodes and encodes to the same bytes', () => {
    for (const { ratchet_tree } of cases) {
      const nodes = decoded(decodeRatchetTree(fromHex(ratchet_tree)))
      expect(hex(encodeTree(nodes))).toBe(ratchet_tree)
      expect(hex(encodeRatchetTree(nodes))).toBe(ratchet_tree)
    }
  })

  it('public_message_application is refused', () => {
    for (const { public_message_application } of cases) {
      const reason = 'application data must not be sent as a PublicMessage'
      expect(decodeMessage(fromHex(public_message_application))).toEqual({ kind: 'malformed', reason })
    }
  })
})

describeVectors<{ vlbytes_header: string; length: number }>('deserialization', (cases) => {
  describe.each(cases)('the header $vlbytes_header', ({ vlbytes_header, length }) => {
    const whole = length < 100_000

    it(`announces ${length} bytes`, () => {
      const header = fromHex(vlbytes_header)
      const bytes = Buffer.concat([header, new Uint8Array(whole ? length : 0)])
      const result = decodeWhole(bytes, (reader: TlsReader) => reader.opaque().length)
      expect(result).toEqual(whole ? { kind: 'decoded', value: length } : { kind: 'malformed', reason: 'the bytes end too early' })
    })

    it('is the one that is written for this length', () => {
      if (whole)
        expect(
          hex(
            new TlsWriter()
              .opaque(new Uint8Array(length))
              .written()
              .subarray(0, vlbytes_header.length / 2),
          ),
        ).toBe(vlbytes_header)
    })
  })
})
