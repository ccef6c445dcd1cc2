import type { Device } from './device.js'

/** What the server answers: by which id other providers confirm the erasure, and which are asked. */
export interface AccountEnd {
  readonly erasure_id: Uint8Array
  readonly providers: readonly string[]
}

/**
 * Ends the account of this device for good, with all its devices. Before that the user may want a copy of what the server has
 * (`GET /v1/me/export`); afterwards nobody gets in, and for a while nobody gets the name.
 */
export function deleteAccount({ proofs, record, http }: Device): Promise<AccountEnd> {
  return proofs.steppedUp('delete-account', record.user, (field) => http.delete<AccountEnd>('/v1/me', field))
}
