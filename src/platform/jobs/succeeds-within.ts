/** Whether the work is done within so many milliseconds, without a failure. It goes on either way. */
export async function succeedsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), ms)
  const settled = work.then(
    () => true,
    () => false,
  )
  const succeeded = await Promise.race([settled, late])
  clearTimeout(timer)
  return succeeded
}
