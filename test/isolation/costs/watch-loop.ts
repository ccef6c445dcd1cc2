import { generateKeyPairSync, sign, verify } from 'node:crypto'

/** In milliseconds of processor time of this thread, not of the clock on the wall: what else runs on the machine does not count. */
export interface Watched {
  /** Once, on average. */
  readonly loop: number
  /** The most at a stretch, without a turn for anything else. */
  readonly stretch: number
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

function processorMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** Systems count processor time in steps of up to some milliseconds: so much is measured at least. */
const ENOUGH_MS = 60
const MAX_RUNS = 2_000

async function averageOf(work: () => unknown): Promise<number> {
  await work() // compiled, and threads have started
  await work()
  const from = processorMs()
  const began = performance.now()
  let runs = 0
  while (runs < 3 || (runs < MAX_RUNS && processorMs() - from < ENOUGH_MS && performance.now() - began < 20 * ENOUGH_MS)) {
    await work()
    runs++
  }
  return (processorMs() - from) / runs
}

/** While every turn of the event loop is noted. */
async function stretchOf(work: () => unknown): Promise<number> {
  let [last, longest, over] = [0, 0, false]
  const note = () => {
    const now = processorMs()
    longest = Math.max(longest, now - last)
    last = now
  }
  const next = () => {
    note()
    if (!over) setImmediate(next)
  }
  await turn()
  last = processorMs()
  setImmediate(next)
  await work()
  note()
  over = true
  await turn()
  return longest
}

/** @param rounds of which the middle one counts: any may have met the garbage collector */
export async function watchLoop(work: () => unknown, rounds: number): Promise<Watched> {
  const loop = await averageOf(work)
  const stretches: number[] = []
  for (let round = 0; round < rounds; round++) stretches.push(await stretchOf(work))
  const stretch = stretches.toSorted((a, b) => a - b)[rounds >> 1] ?? 0
  // What is shorter than it takes on average was lost in the steps of the system's clock.
  return { loop, stretch }
}

/** One check of an Ed25519 signature here and now, in milliseconds: the unit in which costs are given. */
export async function verificationMs(): Promise<number> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const message = Buffer.alloc(200)
  const signature = sign(null, message, privateKey)
  return averageOf(() => {
    for (let check = 0; check < 20; check++) verify(null, message, publicKey, signature)
  }).then((ms) => ms / 20)
}
