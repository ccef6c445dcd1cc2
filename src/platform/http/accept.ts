import type { MediaType } from './encode.js'

/** JSON unless the client prefers CBOR (RFC 9110 §12.5.1). An Accept that names neither still gets JSON. */
export function negotiate(accept: string | undefined): MediaType {
  const accepted = accept?.slice(0, 500).toLowerCase()
  if (!accepted?.includes('application/cbor')) return 'application/json'
  let cbor = 0
  let json = 0
  for (const range of accepted.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    const q = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
    const weight = Number.isFinite(q) ? q : 0
    if (type === 'application/cbor') cbor = weight
    if (type === 'application/json') json = weight
  }
  return cbor > 0 && cbor >= json ? 'application/cbor' : 'application/json'
}
