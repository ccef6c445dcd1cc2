import { readLeafNode } from '../../../src/protocol/mls/structures/leaf-node.js'
import { readProposalOrRef } from '../../../src/protocol/mls/structures/proposal.js'
import { TlsReader } from '../../../src/protocol/tls/reader.js'

/** Where the bytes of a field are, header of its length left out. */
export interface Field {
  readonly name: string
  readonly from: number
  readonly to: number
}

/** The fields of a member's Commit, as an MLSMessage, that a test has to find again. */
export function commitLayout(bytes: Uint8Array): Field[] {
  const walk = new Walk(bytes)
  const { reader } = walk
  reader.uint32()
  reader.opaque() // group_id
  reader.uint64()
  reader.uint8()
  reader.uint32() // leaf_index
  walk.opaque('authenticated_data')
  reader.uint8()
  reader.vector(100, readProposalOrRef)
  reader.optional(() => {
    readLeafNode(reader)
    reader.countVector(() => {
      walk.opaque('path: encryption_key')
      walk.ciphertexts('path')
    })
  })
  walk.opaque('signature')
  walk.opaque('confirmation_tag')
  walk.opaque('membership_tag')
  return walk.fields
}

/** The encrypted fields of a Welcome, as an MLSMessage. */
export function welcomeLayout(bytes: Uint8Array): Field[] {
  const walk = new Walk(bytes)
  walk.reader.uint32()
  walk.reader.uint16()
  walk.reader.countVector((secret) => {
    secret.opaque()
    walk.ciphertext('encrypted_group_secrets')
  })
  walk.opaque('encrypted_group_info')
  return walk.fields
}

class Walk {
  readonly fields: Field[] = []
  readonly reader: TlsReader

  constructor(bytes: Uint8Array) {
    this.reader = new TlsReader(bytes)
  }

  opaque(name: string): void {
    const { length } = this.reader.opaque()
    this.fields.push({ name, from: this.reader.position - length, to: this.reader.position })
  }

  ciphertext(name: string): void {
    this.opaque(`${name}: kem_output`)
    this.opaque(`${name}: ciphertext`)
  }

  ciphertexts(name: string): void {
    this.reader.countVector(() => this.ciphertext(name))
  }
}
