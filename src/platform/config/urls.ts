import { z } from 'zod'

/** Origins that have no host, such as that of a sandboxed frame (`null`), cannot be told apart and so cannot be listed. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+(:\d{1,5})?$/

/** @returns the origins of a setting as browsers write them; undefined if one of them is no origin */
export function originsIn(setting: string): string[] | undefined {
  const origins = setting.split(',').map((each) => {
    const text = each.trim().toLowerCase()
    // Browsers leave out the port that a scheme has by default.
    return /^https?:/.test(text) && ORIGIN.test(text) && URL.canParse(text) ? new URL(text).origin : text
  })
  return origins.every((origin) => ORIGIN.test(origin)) ? origins : undefined
}

/** @returns whether `CORS_ORIGINS` can be understood */
export function isOriginsSetting(setting: string): boolean {
  return setting === 'any' || setting === 'off' || originsIn(setting) !== undefined
}

/** A URL without a slash at its end, so that paths can be appended. */
export const HttpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
  .transform((url) => url.replace(/\/+$/, ''))
