/** Bounds on what is written down of one provider's users; see docs/limits.md. */
export interface ForeignBounds {
  readonly devicesOfUser: number
  readonly usersOfPeer: number
  readonly devicesOfPeer: number
}

/** As many users or devices of one provider are written down as may be. */
export class TooManyForeign extends Error {}
