import { BODY_PIECES } from './bodies.js'
import { closeTrees, GROUP_PIECES } from './groups.js'
import { IDENTITY_PIECES } from './identity.js'
import type { Piece } from './piece.js'
import { PROTOCOL_PIECES } from './protocol.js'

/** Every path that is not cheap, at its largest. `routes.ts` says which routes lead to which. */
export const PIECES: readonly Piece[] = [...BODY_PIECES, ...PROTOCOL_PIECES, ...GROUP_PIECES, ...IDENTITY_PIECES]

/** Ends the threads that pieces have begun. */
export const closePieces = closeTrees
