/**
 * A log line for a terminal: time, level, message, and the other members as `key=value`; the stack of an error below it. Not pino-pretty: it
 * brings a dozen packages for options that nobody sets here.
 * @param json one line as pino writes it
 */
export function prettyLine(json: string): string {
  const line: unknown = JSON.parse(json)
  if (typeof line !== 'object' || line === null) return json
  const { level = '', time = '', msg = '', err, ...members }: Record<string, unknown> = { ...line }
  const { stack = [], ...error }: Record<string, unknown> = typeof err === 'object' ? { ...err } : {}
  const rest = Object.entries({ ...members, ...error })
  const head = [
    String(time).slice(11, 23),
    String(level).toUpperCase().padEnd(5),
    String(msg),
    ...rest.map(([key, value]) => `${key}=${shown(value)}`),
  ]
  const frames = Array.isArray(stack) ? stack.map((frame) => `    ${visible(String(frame))}`) : []
  return `${[visible(head.join(' ')), ...frames].join('\n')}\n`
}

function shown(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}

/** What a terminal would take for a command is shown as its code: some of it came from outside. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
