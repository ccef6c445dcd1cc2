import type { Workshop } from './workshop.js'

/** What the smoke run of each language takes. */
export interface SmokeInput {
  readonly url: string
  /** Seed of the Ed25519 key of the first client, base64url. */
  readonly seed: string
  /** The public half, base64url: not every language derives it. */
  readonly publicKey: string
  /** A KeyPackage that was made with that key, base64url. */
  readonly keyPackage: string
}

/** A generator of clients, and what is done with its output. A step fails by throwing. */
export interface Language {
  readonly name: string
  /** Says on which generator this rests, in the names of the checks. */
  readonly generator: string
  /** @returns what is missing, or undefined if this language can be tried */
  missing(workshop: Workshop): Promise<string | undefined>
  /** Generates. @returns the operations that came out, in any spelling of their operationId. @throws if the generator warns */
  generate(workshop: Workshop): Promise<readonly string[]>
  compile(workshop: Workshop): Promise<void>
  smoke(workshop: Workshop, input: SmokeInput): Promise<void>
}
