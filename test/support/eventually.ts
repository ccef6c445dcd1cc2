/** Only what never comes takes so long, however busy the machine is. */
const PATIENCE_MS = 60_000

/**
 * Looks again and again until `holds`, and says what it saw last if that never comes.
 * @param patienceMs more than that, for containers that start and turns that are awaited
 */
export async function eventually<T>(look: () => T | Promise<T>, holds: (seen: T) => boolean, patienceMs = PATIENCE_MS): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const seen = await look()
    if (holds(seen)) return seen
    if (performance.now() > deadline) {
      const text = JSON.stringify(seen, (_key, value) => (typeof value === 'bigint' ? String(value) : value))
      throw new Error(`Still ${text} after ${patienceMs} ms`)
    }
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}
