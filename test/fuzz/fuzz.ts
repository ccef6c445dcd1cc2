import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { withoutSignatureChecks } from '../support/mls/without-signature-checks.js'
import { mutate, Random } from './mutate.js'
import { fuzzTargets, type Target } from './targets.js'

/**
 * `npm run fuzz -- --seconds 60 --seed 1`: what is hostile comes back as a value, soon. Bytes that lead to something new join those
 * that are changed further. Every signature is taken for right, so that what it covers is looked at too. Keys are made again in
 * each run: a seed gives the same changes, and the failing input is printed in full.
 */
const SLOW_MS = 100
const LARGEST = 256 * 1024
const KEPT = 4_000
const KEPT_SLOWEST = 3

interface Slow {
  readonly ms: number
  readonly bytes: Uint8Array
}

class Run {
  readonly failures: string[] = []
  private readonly corpus: Uint8Array[]
  private readonly outcomes = new Map<string, number>()
  private slowest: Slow[] = []
  private count = 0

  constructor(
    private readonly target: Target,
    private readonly random: Random,
  ) {
    this.corpus = [...target.seeds]
  }

  async begin(): Promise<void> {
    for (const seed of this.target.seeds) await this.look(seed)
  }

  async step(): Promise<void> {
    const bytes = mutate(this.random.pick(this.corpus), this.random, this.corpus)
    if (bytes.length > 0 && bytes.length <= LARGEST) await this.look(bytes)
  }

  report(): string[] {
    const slow = this.slowest.map(({ ms, bytes }) => `${ms.toFixed(1)} ms for ${bytes.length} bytes`)
    return [
      `${this.target.name}: ${this.count} inputs, ${this.outcomes.size} different outcomes, slowest ${slow.join(', ')}`,
      ...[...this.outcomes].sort(([, a], [, b]) => b - a).map(([outcome, times]) => `  ${times} × ${outcome}`),
    ]
  }

  private async look(bytes: Uint8Array): Promise<void> {
    this.count++
    try {
      const { outcome, ms } = await this.timed(bytes)
      if (!this.outcomes.has(outcome) && this.corpus.length < KEPT) this.corpus.push(bytes)
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
      if (ms > (this.slowest.at(-1)?.ms ?? 0) || this.slowest.length < KEPT_SLOWEST) await this.noteSlow(bytes, ms)
    } catch (error) {
      this.failures.push(`${this.target.name} throws ${String(error)}\n${Buffer.from(bytes).toString('hex')}`)
    }
  }

  private async noteSlow(bytes: Uint8Array, first: number): Promise<void> {
    // Something else may have had the processor: what is slow is slow each time.
    let ms = first
    for (let again = 0; again < 3; again++) ms = Math.min(ms, (await this.timed(bytes)).ms)
    this.slowest = [...this.slowest, { ms, bytes }].sort((a, b) => b.ms - a.ms).slice(0, KEPT_SLOWEST)
    if (ms > SLOW_MS) this.failures.push(`${this.target.name} takes ${ms.toFixed(0)} ms\n${Buffer.from(bytes).toString('hex')}`)
  }

  private async timed(bytes: Uint8Array): Promise<{ outcome: string; ms: number }> {
    const began = performance.now()
    const outcome = await this.target.run(bytes)
    return { outcome, ms: performance.now() - began }
  }
}

async function fuzz(seconds: number, seed: number): Promise<number> {
  const random = new Random(seed)
  const runs = (await fuzzTargets()).map((target) => new Run(target, random))
  await withoutSignatureChecks(async () => {
    for (const run of runs) await run.begin()
    for (const end = performance.now() + 1_000 * seconds; performance.now() < end;) {
      for (const run of runs) for (let several = 0; several < 20; several++) await run.step()
    }
  })
  const failures = runs.flatMap((run) => run.failures)
  process.stdout.write([`seed ${seed}`, ...runs.flatMap((run) => run.report()), ...failures, `${failures.length} failures`, ''].join('\n'))
  return failures.length
}

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } } })
const failures = await fuzz(Number(values.seconds), Number(values.seed ?? randomInt(2 ** 31)))
process.exitCode = failures > 0 ? 1 : 0
