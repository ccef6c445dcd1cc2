import { z } from 'zod'

/** Without a slash at its end, so that paths can be appended. */
export const HttpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
  .transform((url) => url.replace(/\/+$/, ''))
