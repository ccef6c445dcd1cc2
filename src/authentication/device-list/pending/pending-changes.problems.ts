import { z } from 'zod'
import type { ProblemTypes } from '../../../platform/http/problem-types.js'
import { Problem } from '../../../platform/http/problem.js'

/** Until it is settled, nothing else changes the list. */
export class ChangePending extends Problem {
  constructor({ number, effectiveAt }: { readonly number: number; readonly effectiveAt: Date }) {
    super(409, 'change-pending', 'A change of the device list waits. Approve it, refuse it, or wait until it takes effect.', {
      number,
      effective_at: Math.floor(effectiveAt.getTime() / 1000),
    })
  }
}

export const PENDING_CHANGE_PROBLEMS: ProblemTypes = {
  'change-pending': {
    status: 409,
    when: 'A change of the device list waits (docs/identity.md §7), and this is another change, or a head, that does not take its place.',
    client: 'Show the user the change that waits (`GET /v1/device-list/pending`), and approve or refuse it; or wait until `effective_at`.',
    retry: 'redo',
    members: { number: z.int(), effective_at: z.int().meta({ description: 'Unix seconds' }) },
  },
}
