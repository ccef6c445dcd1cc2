/** Why a client does not believe what it was shown (docs/identity.md §5). */
export type RefusalReason =
  /** A list, a head or a certificate breaks a rule: `rule` names it. */
  | 'invalid'
  /** Fewer entries than this client has seen. */
  | 'rolled-back'
  /** Another entry under a number than this client, or a leaf, has seen: `evidence` holds what there is. */
  | 'forked'
  /** A leaf knows of entries that the server does not show. */
  | 'withheld'
  /** The head has expired. */
  | 'expired'
  /** Another first entry than before, which this client's user has not accepted. */
  | 'identity-changed'
  /** No device list, where one is needed. */
  | 'no-list'
  /** The group has a leaf that fails: nothing is sent into it. */
  | 'quarantine'

export class IdentityRefused extends Error {
  /** Name of the rule (docs/identity.md), where one is broken. */
  readonly rule: string | undefined
  readonly evidence: readonly Uint8Array[]
  constructor(
    readonly reason: RefusalReason,
    /** User URI. */
    readonly user: string,
    details: { rule?: string; evidence?: readonly Uint8Array[]; about?: string } = {},
  ) {
    super(
      `${user}: ${reason}${details.rule === undefined ? '' : ` (${details.rule})`}${details.about === undefined ? '' : `, ${details.about}`}`,
    )
    this.rule = details.rule
    this.evidence = details.evidence ?? []
  }
}

/** That a list or a head of a user breaks a rule. */
export const broken = (user: string, rule: string): IdentityRefused => new IdentityRefused('invalid', user, { rule })
