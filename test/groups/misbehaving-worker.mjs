/** What a worker thread may do other than its task. */
export const echo = (task) => task

export const exits = () => process.exit(3)

export const throws = () => {
  throw new Error('thrown')
}

export const throwsLater = () =>
  new Promise(() => {
    setImmediate(() => {
      throw new Error('thrown later')
    })
  })

export const takesAllMemory = () => {
  const held = []
  for (;;) held.push(Array.from({ length: 1_000 }, (_, index) => ({ index })))
}

export const waits = () => new Promise((resolve) => setTimeout(() => resolve('waited'), 300))

export const neverEnds = () => {
  for (;;);
}
