import { RULES, type RuleName } from './rules.js'

/** Why something was refused: the rule's stable name, for clients to act on, and where it stands. */
export interface BrokenRule {
  readonly rule: RuleName
  /** Of RFC 9420 unless it names another document, e.g. '7.3'. */
  readonly section: string
}

export function broken(rule: RuleName): BrokenRule {
  return { rule, section: RULES[rule][0] }
}

/** A rule as a function: undefined where it holds. */
export function brokenUnless(holds: boolean, rule: RuleName): BrokenRule | undefined {
  return holds ? undefined : broken(rule)
}
