import { bundleCases } from './bundle.cases.js'
import { externalCommitCases } from './external-commit.cases.js'
import { framingCases } from './framing.cases.js'
import { groupExtensionsCases } from './group-extensions.cases.js'
import type { NegativeCase } from './forged-group-fixture.js'
import { keyPackageCases } from './key-package.cases.js'
import { leafNodeCases } from './leaf-node.cases.js'
import { mixedListCases } from './mixed-lists.cases.js'
import { proposalCases } from './proposals.cases.js'
import { proposalListCases } from './proposal-list.cases.js'
import { seedingCases } from './seeding.cases.js'
import { updatePathCases } from './update-path.cases.js'

export const NEGATIVE_CASES: Readonly<Record<string, readonly NegativeCase[]>> = {
  'the framing of a message': framingCases,
  'a proposal': proposalCases,
  'a list of proposals': proposalListCases,
  'a list of different proposals': mixedListCases,
  'an external Commit': externalCommitCases,
  'a leaf': leafNodeCases,
  'the extensions of a group': groupExtensionsCases,
  'a path': updatePathCases,
  'what comes with a Commit': bundleCases,
  'a group as it is shown': seedingCases,
  'a KeyPackage': keyPackageCases,
}
