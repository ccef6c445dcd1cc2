import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/** Answers every signature check with yes, at once, while `work` runs: what is left is all else. For benches and fuzzing, outside of Jest. */
export async function withoutSignatureChecks<T>(work: () => Promise<T>): Promise<T> {
  const { verify, createPublicKey } = crypto
  const { publicKey } = crypto.generateKeyPairSync('ed25519')
  // With a callback the server asks, without one the example client.
  const yes = (...args: unknown[]): boolean => {
    const answer = args.at(-1)
    if (typeof answer === 'function') queueMicrotask(() => answer(null, true))
    return true
  }
  replace({ verify: yes as typeof verify, createPublicKey: () => publicKey })
  try {
    return await work()
  } finally {
    replace({ verify, createPublicKey })
  }
}

/** How many signatures are checked while `work` runs. */
export async function countingSignatureChecks(work: () => Promise<unknown>): Promise<number> {
  const { verify, createPublicKey } = crypto
  let checks = 0
  const counted = (...args: Parameters<typeof verify>): ReturnType<typeof verify> => {
    checks++
    return verify(...args)
  }
  replace({ verify: counted as typeof verify, createPublicKey })
  try {
    await work()
    return checks
  } finally {
    replace({ verify, createPublicKey })
  }
}

function replace(functions: Pick<typeof crypto, 'verify' | 'createPublicKey'>): void {
  Object.assign(crypto, functions)
  syncBuiltinESMExports()
}
