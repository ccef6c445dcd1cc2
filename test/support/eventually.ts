/** Looks again and again until `holds`, and says what it saw last if that never comes. */
export async function eventually<T>(look: () => T | Promise<T>, holds: (seen: T) => boolean, patienceMs = 30_000): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const seen = await look()
    if (holds(seen)) return seen
    if (performance.now() > deadline)
      throw new Error(
        `Still ${JSON.stringify(seen, (_key, value) => (typeof value === 'bigint' ? String(value) : value))} after ${patienceMs} ms`,
      )
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}
