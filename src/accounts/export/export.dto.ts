import { z } from 'zod'
import { PERSONAL_TABLES } from '../personal/personal-tables.js'

const SECTIONS = PERSONAL_TABLES.flatMap(({ exported }) => ('section' in exported ? [exported] : []))

/** `name: what it is (its fields)`, a line each, for openapi.yaml. */
export const SECTION_LIST = SECTIONS.map(
  ({ section, about, fields }) => `- \`${section}\`: ${about}. Fields: ${Object.keys(fields).join(', ')}.`,
).join('\n')

const MAX_CURSOR = 2_000

export const ExportQuery = z.strictObject({
  after: z.string().max(MAX_CURSOR).optional().meta({ description: 'The `next` of the page before' }),
})
export type ExportQuery = z.infer<typeof ExportQuery>

const ExportRecord = z
  .object({
    section: z.string().meta({ description: 'One of those that exportAccount lists', examples: ['devices'] }),
    fields: z.record(z.string(), z.unknown()).meta({
      description:
        'Those of its section, without what there is none of. Times are whole seconds since 1970, bytes base64url in JSON and in CBOR',
    }),
  })
  .meta({ id: 'ExportRecord' })

export const AccountExport = z
  .object({
    records: z.array(ExportRecord),
    next: z.string().optional().meta({ description: 'There may be more: ask again with this as `after`' }),
  })
  .meta({ id: 'AccountExport', description: 'A page of what the server has about the account' })
export type AccountExport = z.output<typeof AccountExport>
