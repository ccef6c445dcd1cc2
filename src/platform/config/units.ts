import { z } from 'zod'

const MS_PER: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const BYTES_PER: Record<string, number> = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** `250ms`, `30s`, `5m`, `24h`, `90d` → milliseconds; 0 needs no unit. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text)
  return match ? Number(match[1]) * (MS_PER[match[2] ?? ''] ?? NaN) : undefined
}

/** `512`, `64KiB`, `2MiB`, `1GiB` → bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12})(KiB|MiB|GiB)?$/.exec(text)
  return match ? Number(match[1]) * (BYTES_PER[match[2] ?? ''] ?? NaN) : undefined
}

interface Range {
  readonly min: number
  readonly max: number
  /** Writes a value as an operator would. */
  readonly format: (value: number) => string
}

function parsed(parse: (text: string) => number | undefined, hint: string, { min, max, format }: Range) {
  return z.string().transform((text, context) => {
    const value = parse(text.trim())
    if (value === undefined) context.addIssue({ code: 'custom', message: `must be ${hint}` })
    else if (value < min || value > max) context.addIssue({ code: 'custom', message: `must be from ${format(min)} to ${format(max)}` })
    return value ?? z.NEVER
  })
}

/** A duration with unit in the environment, milliseconds inside. */
export const Duration = (min = 0, max = 10 * 365 * 86_400_000) =>
  parsed(parseDuration, 'a duration such as 250ms, 30s, 5m, 24h or 90d', { min, max, format: formatDuration })

/** A size in bytes, KiB, MiB or GiB in the environment, bytes inside. */
export const Size = (max = 64 * 1024 ** 2) => parsed(parseSize, 'a size such as 4096, 64KiB or 2MiB', { min: 1, max, format: formatSize })

/** A whole number within bounds. */
export const Count = (min: number, max: number) =>
  parsed((text) => (/^\d{1,12}$/.test(text) ? Number(text) : undefined), `a whole number from ${min} to ${max}`, {
    min,
    max,
    format: String,
  })

/** `name=1,other-name=20` in the environment, a map inside. */
export const NumbersByName = () =>
  z.string().transform((text, context): ReadonlyMap<string, number> => {
    const pairs = text.split(',').map((pair) => pair.trim())
    const matches = pairs.flatMap((pair) => (pair === '' ? [] : [/^([a-z][a-z-]*)=([1-9]\d{0,11})$/.exec(pair)]))
    if (matches.includes(null))
      context.addIssue({ code: 'custom', message: 'must be pairs such as name=10,other-name=20, of whole numbers from 1' })
    return new Map(matches.flatMap((match) => (match ? [[match[1] ?? '', Number(match[2])]] : [])))
  })

/** The shortest way to write a duration that `parseDuration` reads back. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0'
  const unit = ['d', 'h', 'm', 's', 'ms'].find((name) => ms % (MS_PER[name] ?? NaN) === 0 && ms >= (MS_PER[name] ?? NaN)) ?? 'ms'
  return `${ms / (MS_PER[unit] ?? 1)}${unit}`
}

/** The shortest way to write a size that `parseSize` reads back. */
export function formatSize(bytes: number): string {
  const unit = ['GiB', 'MiB', 'KiB'].find((name) => bytes % (BYTES_PER[name] ?? NaN) === 0) ?? ''
  return `${bytes / (BYTES_PER[unit] ?? 1)}${unit}`
}
