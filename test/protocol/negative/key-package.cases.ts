import { verifyKeyPackage } from '../../../src/protocol/mls/key-package-validation.js'
import { readKeyPackage } from '../../../src/protocol/mls/structures/key-package.js'
import { TlsReader } from '../../../src/protocol/tls/reader.js'
import { forgeKeyPackage, newKey } from '../../support/mls/forge.js'
import { newHpkeKey } from '../../support/mls/forge-keys.js'
import type { KeyPackageChanges } from '../../support/mls/forge-leaf.js'
import { byValue, proposals } from '../../support/mls/proposals.js'
import { group, judgeCommit, type NegativeCase, type Verdict } from './forged-group-fixture.js'

async function published(changes: KeyPackageChanges): Promise<Verdict> {
  const keyPackage = readKeyPackage(new TlsReader(await forgeKeyPackage(newKey(), 'new', 1, changes)))
  return verifyKeyPackage(keyPackage, { now: new Date(1_000_000), maxLifetime: 2 ** 41 })
}

async function added(changes: KeyPackageChanges): Promise<Verdict> {
  return judgeCommit(await group(), [byValue(proposals.add(await forgeKeyPackage(newKey(), 'new', 1, changes)))])
}

const oneKey = newHpkeKey()

/** RFC 9420 §10.1, when a KeyPackage is published and when it is used. */
export const keyPackageCases: NegativeCase[] = [
  { rule: 'key-package-cipher-suite', title: 'of another version', verdict: () => published({ version: 2 }) },
  {
    rule: 'key-package-init-key-shape',
    title: 'with an init key of small order',
    verdict: () => published({ initKey: new Uint8Array(32) }),
  },
  {
    rule: 'key-package-init-key-shape',
    title: 'added with an init key of another curve',
    verdict: () => added({ initKey: new Uint8Array(56) }),
  },
  {
    rule: 'key-package-init-key',
    title: 'whose init key is its encryption key',
    verdict: () => published({ initKey: oneKey, leaf: { encryptionKey: oneKey } }),
  },
  {
    rule: 'key-package-init-key',
    title: 'added though its init key is its encryption key',
    verdict: () => added({ initKey: oneKey, leaf: { encryptionKey: oneKey } }),
  },
  { rule: 'key-package-signature', title: 'signed by another key', verdict: () => published({ signedBy: newKey() }) },
  { rule: 'key-package-signature', title: 'added though another key signed it', verdict: () => added({ signedBy: newKey() }) },
]
