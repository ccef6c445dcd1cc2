import { ConfigSchema } from './config-schema.js'

/** Beginnings that only our settings have. Not REDIS_ and PG_: Kubernetes and PostgreSQL's tools set such variables, too. */
const OWN_BEGINNINGS = /^(FEDERATION|KEY_PACKAGES?|OPERATIONS|RETENTION|STREAM|MICROCHAT)_/
/** A short name is close to too many others. */
const SHORT = 8

/**
 * Variables that look as if they were meant as settings and are none.
 * @returns a sentence for each, never with its value
 */
export function misspeltSettings(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = Object.keys(ConfigSchema.shape)
  return Object.keys(environment).flatMap((name) => {
    if (known.includes(name) || environment[name] === '') return []
    const meant = known.find((each) => `MICROCHAT_${each}` === name) ?? nearest(name, known)
    // Another program's variable may be close to a setting that is set as well.
    if (meant !== undefined && !environment[meant]) return [`${name} is no setting. Is ${meant} meant?`]
    return OWN_BEGINNINGS.test(name) ? [`${name} is no setting (docs/configuration.md lists them).`] : []
  })
}

function nearest(name: string, known: readonly string[]): string | undefined {
  const upper = name.toUpperCase().replaceAll('-', '_')
  return known.find((each) => distance(upper, each) <= (each.length < SHORT ? 1 : 2))
}

/** Letters to insert, delete or replace (Levenshtein); two letters that changed places are two. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [index, letter] of one.split('').entries()) {
    const next = [index + 1]
    for (const [column, wanted] of other.split('').entries()) {
      const [above = 0, diagonal = 0, left = 0] = [row[column + 1], row[column], next[column]]
      next.push(Math.min(above + 1, left + 1, diagonal + (letter === wanted ? 0 : 1)))
    }
    row = next
  }
  return row[other.length] ?? 0
}
