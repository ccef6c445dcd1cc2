import { statSync } from 'node:fs'

/**
 * Test files that take minutes, the longest first. On a clean checkout Jest knows no times and begins with the largest files: these, which are
 * small, would run at the end, with one worker idle.
 */
const LONGEST = [
  'test/authority/table-',
  'test/deployment/race.',
  'test/authority/campaign/',
  'test/openapi/docs-page.',
  'test/federation/hostile/enumeration.',
  'test/federation/hostile/evidence.',
  'test/federation/partition.',
  'test/isolation/scenarios-without-hints.',
  'test/redis/outage.',
]

/** The order of test files: the longest, then the largest. */
export default class LongestFirst {
  sort(tests) {
    const known = tests.map((test) => ({ test, rank: rankOf(test.path), size: statSync(test.path).size }))
    return known.toSorted((a, b) => a.rank - b.rank || b.size - a.size).map(({ test }) => test)
  }

  shard(tests, { shardIndex, shardCount }) {
    return tests.filter((_, index) => index % shardCount === shardIndex - 1)
  }

  allFailedTests(tests) {
    return tests
  }

  cacheResults() {}
}

function rankOf(path) {
  const rank = LONGEST.findIndex((part) => path.includes(part))
  return rank === -1 ? LONGEST.length : rank
}
