import { readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { keepEvidence } from '../../src/federation/evidence/evidence.repository.js'
import { soundSettings } from '../doctor/doctor-fixture.js'
import { useTestDatabase } from '../support/database.js'
import { FINDING } from '../support/finding.js'
import { runCommand } from '../support/run-command.js'

const database = useTestDatabase()
const before = { ...process.env }
beforeEach(() => database.pool.query('TRUNCATE evidence'))
afterEach(() => void (process.env = { ...before }))

/** What a command prints, and its exit code. */
async function run(command: string, more: Record<string, string> = {}): Promise<{ code: number; out: string; err: string }> {
  process.env = { ...before, ...soundSettings(database.url, { DOMAIN: 'a.example', ...more }) }
  const { code, out, errors: err } = await runCommand(...command.split(' '))
  return { code, out, err }
}

describe('evidence', () => {
  const FILE = join(tmpdir(), `evidence-${process.pid}.json`)
  afterEach(() => rm(FILE, { force: true }))
  const vectors = JSON.parse(readFileSync(new URL('vectors/vectors.json', import.meta.url), 'utf8')) as {
    evidence: { heads: { seq: number }[] }
    keys: { x: string }[]
  }
  const { evidence, keys } = vectors
  const kept = async () => {
    await keepEvidence(database.pool, { ...FINDING, document: JSON.stringify(evidence) })
    await keepEvidence(database.pool, { ...FINDING, seq: 5n, stops: false })
    const { rows } = await database.pool.query<{ id: bigint }>('SELECT id FROM evidence ORDER BY id')
    return rows.map(({ id }) => id)
  }

  it('is listed, shown, exported and closed', async () => {
    expect((await run('evidence list')).out).toBe('There is no such evidence.\n')
    const [first, second] = await kept()
    expect((await run('peers list')).out).toContain('EVIDENCE: 2 open, by which 1 group is followed no further')
    const list = (await run('evidence list')).out.split('\n')
    expect(list[0]).toMatch(new RegExp(`^${first}  \\S+Z  b.example  two-histories, the group is followed no further: it has signed`))
    expect(list[1]).toContain('(no file: it proves nothing to others)')
    expect((await run(`evidence show ${first}`)).out).toContain('PROVEN: the holder of the keys below, for a.example')
    expect(await run(`evidence export ${first} ${FILE}`)).toMatchObject({ code: 0 })
    expect(await run(`evidence export ${first} ${FILE}`)).toMatchObject({ code: 1 })
    expect(JSON.parse(readFileSync(FILE, 'utf8'))).toEqual(evidence)
    expect(await run(`evidence export ${second}`)).toMatchObject({ code: 1, err: expect.stringContaining('There is no file') })
    expect((await run(`evidence close ${first}`)).out).toContain(`Evidence ${first} is closed`)
    expect(await run(`evidence close ${first}`)).toMatchObject({ code: 1 })
    expect((await run('evidence list --closed')).out).toContain(`${first}  `)
  })

  it('is verified without database and settings', async () => {
    writeFileSync(FILE, JSON.stringify(evidence))
    const offline = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing', DOMAIN: '' }
    const verified = await run(`evidence verify ${FILE}`, offline)
    expect(verified).toMatchObject({ code: 0, out: expect.stringContaining('NOT PROVEN: that the keys are those of a.example') })
    expect(verified.out).toContain(keys[0]!.x)
    expect(await run(`evidence verify ${FILE} --key ${keys[0]!.x}`, offline)).toMatchObject({ code: 0 })
    expect(await run(`evidence verify ${FILE} --key ${keys[2]!.x}`, offline)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^NOT PROVEN/),
    })
    evidence.heads[0]!.seq++
    writeFileSync(FILE, JSON.stringify(evidence))
    expect(await run(`evidence verify ${FILE}`, offline)).toMatchObject({ code: 1, err: expect.stringMatching(/^NOT PROVEN/) })
    for (const wrong of ['evidence verify', 'evidence verify /nowhere/at/all', 'evidence close x', 'evidence show 99'])
      expect(await run(wrong)).toMatchObject({ code: 1 })
  })
})
