import { RULES, type RuleName } from '../../protocol/mls/rules.js'

/** Rules for publishing a KeyPackage beyond those for the KeyPackage itself. Listed with the others in docs/mls-rules.md. */
export const UPLOAD_RULES = {
  credential: ['5.3.1', 'A KeyPackage names the uploading device, and its key is registered for it.'],
  'last-resort-component': ['draft-ietf-mls-extensions', 'A KeyPackage’s mark as last resort can be read.'],
  'one-last-resort-per-suite': ['16.8', 'A device has one KeyPackage of last resort in each suite.'],
} as const satisfies Record<string, readonly [section: string, says: string]>

export type UploadRule = RuleName | keyof typeof UPLOAD_RULES

/** The section in which a rule stands, and what it says. */
export function uploadRule(rule: UploadRule): readonly [section: string, says: string] {
  return { ...RULES, ...UPLOAD_RULES }[rule]
}
