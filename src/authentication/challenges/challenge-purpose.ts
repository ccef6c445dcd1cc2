import { PROOF_LABELS, type ProofPurpose } from '../../protocol/device-login.js'
import { STEP_UP_PURPOSES, stepUpLabel, type StepUpPurpose } from '../../protocol/identity/step-up.js'

/** What a challenge is for. */
export type ChallengePurpose = ProofPurpose | StepUpPurpose

export const CHALLENGE_PURPOSES: readonly ChallengePurpose[] = [...(Object.keys(PROOF_LABELS) as ProofPurpose[]), ...STEP_UP_PURPOSES]

/** With which label to sign; `MLS 1.0 ` goes before it (RFC 9420 §5.1.2). */
export function labelOf(purpose: ChallengePurpose): string {
  return isProof(purpose) ? PROOF_LABELS[purpose] : stepUpLabel(purpose)
}

function isProof(purpose: ChallengePurpose): purpose is ProofPurpose {
  return purpose in PROOF_LABELS
}
