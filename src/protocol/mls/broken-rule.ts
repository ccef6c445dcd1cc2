/** Why something was refused: the rule's stable name, for clients to act on, and where it stands. */
export interface BrokenRule {
  /** kebab-case. */
  readonly rule: string
  /** Of RFC 9420 unless it names another document, e.g. '7.3'. */
  readonly section: string
}

/** A rule as a function: undefined where it holds. */
export function brokenUnless(holds: boolean, rule: string, section: string): BrokenRule | undefined {
  return holds ? undefined : { rule, section }
}
