import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { z } from 'zod'
import { InvalidRequest } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import type { Section, PersonalTable } from '../personal/personal-table.js'
import { deviceIdsOf, readSection, type Owner } from '../personal/personal-data.repository.js'
import { PERSONAL_TABLES } from '../personal/personal-tables.js'
import type { AccountExport } from './export.dto.js'

/** Records of one page. */
const ROWS = 200

interface Shown {
  readonly table: PersonalTable
  readonly section: Section
}

/** The account first. */
const SHOWN: readonly Shown[] = PERSONAL_TABLES.flatMap((table) =>
  'section' in table.exported ? [{ table, section: table.exported }] : [],
).toSorted((a, b) => Number(b.section.section === 'account') - Number(a.section.section === 'account'))

const Cursor = z.tuple([z.string(), z.array(z.string().max(1_000)).max(3).nullable()])

/** Where a page begins: in which section, and after which of its rows. */
interface Place {
  readonly index: number
  readonly after: readonly string[] | undefined
}

/** What the server has about an account, in pages: neither the server nor its user has to hold all of it at once. */
@Injectable()
export class AccountExports {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** @throws InvalidRequest for an `after` that is not of a page before */
  async page(owner: Omit<Owner, 'deviceIds'>, after: string | undefined): Promise<AccountExport> {
    const whole = { ...owner, deviceIds: await deviceIdsOf(this.pool, owner.accountId) }
    const records: AccountExport['records'] = []
    const begin = placeOf(after)
    for (let index = begin.index; index < SHOWN.length; index++) {
      const shown = SHOWN[index]
      if (shown === undefined) break
      const wanted = ROWS - records.length
      const rows = await this.read(shown, whole, index === begin.index ? begin.after : undefined, wanted)
      records.push(...rows.map(({ fields }) => ({ section: shown.section.section, fields })))
      if (rows.length === wanted) return { records, next: cursorOf(shown.section.section, rows.at(-1)?.key ?? null) }
    }
    return { records }
  }

  /** What is invented in a cursor, PostgreSQL cannot read as the type of its column: the statement fails, and changes nothing. */
  private async read({ table, section }: Shown, owner: Owner, after: readonly string[] | undefined, limit: number) {
    if (after && after.length !== section.key.length) throw notOurs()
    if (after?.some((text, index) => !isOfType(text, section.key[index]?.[1]))) throw notOurs()
    return readSection(this.pool, table, section, owner, { after, limit })
  }
}

const FORMS: Readonly<Record<string, RegExp>> = {
  bigint: /^\d{1,18}$/,
  int: /^\d{1,9}$/,
  bytea: /^\\x(?:[0-9a-f]{2})*$/,
  uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  text: /^[^\0]*$/,
}

function isOfType(text: string, type: string | undefined): boolean {
  return type !== undefined && FORMS[type]?.test(text) === true
}

function notOurs(): InvalidRequest {
  return new InvalidRequest('`after` is not the `next` of a page.')
}

function cursorOf(section: string, key: readonly string[] | null): string {
  return Buffer.from(JSON.stringify([section, key])).toString('base64url')
}

function placeOf(after: string | undefined): Place {
  if (after === undefined) return { index: 0, after: undefined }
  const cursor = Cursor.safeParse(parsed(after))
  if (!cursor.success) throw notOurs()
  const [section, key] = cursor.data
  const index = SHOWN.findIndex((one) => one.section.section === section)
  if (index < 0) throw notOurs()
  return { index, after: key ?? undefined }
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    return undefined // not JSON
  }
}
