import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Pool } from 'pg'

/** What the same PostgreSQL does in the same minutes when nothing but one statement is asked of it: `pgbench`, which comes with PostgreSQL. */
export class StatementLimits {
  private constructor(
    private readonly url: string,
    private readonly folder: string,
  ) {}

  /** @returns undefined where there is no pgbench on the path: then there is nothing to compare with */
  static async prepare(pool: Pool, url: string, folder: string): Promise<StatementLimits | undefined> {
    const probe = spawn('pgbench', ['--version'], { stdio: 'ignore' })
    const isThere = await Promise.race([once(probe, 'error').then(() => false), once(probe, 'exit').then(() => true)])
    if (!isThere) return undefined
    await pool.query('CREATE TABLE bench_row (id bigserial PRIMARY KEY, gid integer, bytes bytea)')
    await pool.query('CREATE TABLE bench_counter (id integer PRIMARY KEY, n bigint) WITH (fillfactor = 50)')
    await pool.query('INSERT INTO bench_counter VALUES (1, 0)')
    return new StatementLimits(url, folder)
  }

  /** Inserts of one row of 1 KiB, each a transaction, by 32 clients. @returns transactions per second */
  inserts(seconds: number): Promise<number> {
    const value = `decode(repeat('ab', 1024), 'hex')`
    return this.run(`\\set gid random(1, 500)\nINSERT INTO bench_row (gid, bytes) VALUES (:gid, ${value});\n`, 32, seconds)
  }

  /** Updates of one and the same row, each a transaction, by 64 clients. @returns transactions per second */
  oneRow(seconds: number): Promise<number> {
    return this.run('UPDATE bench_counter SET n = n + 1 WHERE id = 1;\n', 64, seconds)
  }

  private async run(script: string, clients: number, seconds: number): Promise<number> {
    const file = join(this.folder, 'pgbench.sql')
    await writeFile(file, script)
    const options = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(seconds), '-f', file, this.url]
    const child = spawn('pgbench', options, { stdio: ['ignore', 'pipe', 'pipe'] })
    const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit') as Promise<[number]>])
    const rate = /tps = ([\d.]+)/.exec(output)?.[1]
    if (code !== 0 || rate === undefined) throw new Error(`pgbench ended with ${code}: ${errors}`)
    return Number(rate)
  }
}
