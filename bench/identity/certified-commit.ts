import { judgeCertificates } from '../../src/groups/roster/certified-leaves.js'
import { LEAF_CERTIFICATE_EXTENSION } from '../../src/protocol/identity/leaf-certificate.js'
import { verifyWithLabel } from '../../src/protocol/mls/signature.js'
import { validateCommit } from '../../src/protocol/public-group/commit.js'
import { certifiedAdds } from '../../test/isolation/costs/identity.js'
import { publicMessage } from '../../test/support/mls/follower.js'
import { Forge, forgeKeyPackage, type newKey } from '../../test/support/mls/forge.js'
import { byValue, proposals } from '../../test/support/mls/proposals.js'
import { countingSignatureChecks } from '../../test/support/mls/without-signature-checks.js'

/** Of a user's list nothing is checked again here: what its entries say stands in the database. */
export interface CertifiedCommit {
  readonly adds: number
  readonly bytes: number
  /** Checks of signatures, in all: two for each KeyPackage, of the message, and of the path's leaf. */
  readonly signatures: number
  /** Milliseconds: of these checks alone; of the Commit by the rules of MLS; of the certificates in its leaves. */
  readonly bare: number
  readonly commit: number
  readonly certificates: number
}

/** A Commit of a public group whose Adds all bring a device of another user, with its certificate. */
export async function certifiedCommit(adds: number): Promise<CertifiedCommit> {
  const { leaves, devices, keys } = await certifiedAdds(adds)
  const forge = await Forge.group(10)
  const items: Uint8Array[] = []
  for (const [index, { client, extension = new Uint8Array() }] of leaves.entries()) {
    const extensions = [{ type: LEAF_CERTIFICATE_EXTENSION, data: extension }]
    const leaf = { extensions, capabilities: { extensions: [LEAF_CERTIFICATE_EXTENSION] } }
    items.push(byValue(proposals.add(await forgeKeyPackage(keys[index] as ReturnType<typeof newKey>, client, undefined, { leaf }))))
  }
  const bytes = await forge.commit(items, await forge.path(items, 0), 0)
  const validate = async () => {
    const verdict = await validateCommit(forge.state, publicMessage(bytes))
    if (verdict.kind === 'refused') throw new Error(verdict.rule)
  }
  const judge = async () => {
    const { certified, faults } = await judgeCertificates(leaves, devices, 'shown', new Set(), 'a.example')
    if (certified.size !== adds) throw new Error(`Refused: ${[...faults.values()].at(0)}`)
  }
  const signatures = await countingSignatureChecks(async () => {
    await validate()
    await judge()
  })
  const [key] = keys
  const check = () => verifyWithLabel(0x0807, key?.publicKey ?? new Uint8Array(), 'bench', new Uint8Array(300), new Uint8Array(64))
  const bare = () => Promise.all(Array.from({ length: signatures }, check))
  return { adds, bytes: bytes.length, signatures, bare: await best(bare), commit: await best(validate), certificates: await best(judge) }
}

/** Of five. */
async function best(work: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const begun = performance.now()
    await work()
    least = Math.min(least, performance.now() - begun)
  }
  return least
}
