/** Where work that takes long is done. `event loop`: everything else waits for it. `slices`: on it, by pieces of some milliseconds. */
export type Place = 'event loop' | 'slices' | 'worker thread' | 'thread pool'

/** One path of the server at the largest input that it takes. */
export interface Piece {
  readonly name: string
  readonly place: Place
  /** What keeps a caller from causing it all the time. */
  readonly bounded: string
  /** What it may take of the event loop, at once, in checks of an Ed25519 signature; A_MILLISECOND where none is given. */
  readonly allowed?: number
  /** Why that is more than A_MILLISECOND. */
  readonly because?: string
  /** Makes the input. @returns the work, which may be repeated */
  readonly make: () => Promise<() => unknown>
}

/** In checks of a signature, with some room. What is done in other places takes the loop no longer at a stretch than a slice or two. */
export const A_MILLISECOND = 20
export const SLICES = 100

/** What a piece may take: of the loop once, if that is its place; else of the loop at a stretch. */
export function allowance({ place, allowed }: Piece): number {
  return allowed ?? (place === 'event loop' ? A_MILLISECOND : SLICES)
}

/** What came out, if it is what comes out of input that is right: a piece that is refused early has measured nothing. */
export async function right<T extends { readonly kind: string }>(kind: T['kind'], outcome: T | Promise<T>): Promise<T> {
  const settled = await outcome
  if (settled.kind !== kind) throw new Error(`A piece was refused: ${JSON.stringify(settled)}`)
  return settled
}
