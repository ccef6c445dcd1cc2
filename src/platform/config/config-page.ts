import { CONFIG_CHAPTERS, ConfigSchema } from './config-schema.js'
import { formatDuration, formatSize } from './units.js'

/** docs/configuration.md, from the schema alone. */
export function configurationPage(): string {
  const chapters = Object.entries(CONFIG_CHAPTERS).map(([title, keys]) => {
    const rows = Object.entries(keys).map(([key, schema]) => `| \`${key}\` | ${defaultOf(key)} | ${escape(schema.description ?? '')} |`)
    return [`## ${title}`, '', '| Variable | Default | Meaning |', '| --- | --- | --- |', ...rows].join('\n')
  })
  return `${[HEAD, ...chapters].join('\n\n')}\n`
}

const HEAD = `# Configuration

All settings are environment variables. A value that makes no sense stops the start with a sentence that names the variable; an empty
one counts as unset. Durations have a unit (\`250ms\`, \`30s\`, \`5m\`, \`24h\`, \`90d\`), and so may sizes (\`4096\`, \`64KiB\`, \`2MiB\`, \`1GiB\`).

This page is made by \`npm run cli -- config-docs\` from \`src/platform/config/config-schema.ts\`.`

const DEFAULTS: Record<string, unknown> = ConfigSchema.partial().parse({})

/** The default of a setting as the pages show it; empty if it has none. */
export function defaultOf(key: string): string {
  const value = DEFAULTS[key]
  if (typeof value === 'string') return `\`${value}\``
  if (typeof value !== 'number') return ''
  if (/_BYTES$|^BYTES_|_BYTE_RATE$/.test(key)) return `\`${formatSize(value)}\``
  return `\`${DURATION_KEYS.test(key) ? formatDuration(value) : value}\``
}

const DURATION_KEYS =
  /_(TTL|LIFETIME|AGE|GRACE|QUARANTINE|DELAY|WINDOW|HEARTBEAT|FLUSH|TIMEOUT|INTERVAL|LEAD|SKEW|PERIOD|DEADLINE|SKEW_LIMIT)$|^RETENTION_|^WORKER_TIME_/

function escape(text: string): string {
  return text.replaceAll('|', '\\|')
}
