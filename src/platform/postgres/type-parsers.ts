import { TypeOverrides, types } from 'pg'

/** int8[]; pg's own list of type ids has no arrays. */
const INT8_ARRAY: number = 1016

/** Ids and seqs are 64 bits wide: a JavaScript number would round them silently, a string would compare wrongly. Per pool, as Prisma has its own. */
export const typeParsers = new TypeOverrides()
typeParsers.setTypeParser(types.builtins.INT8, BigInt)
typeParsers.setTypeParser(INT8_ARRAY, (text: string) => parseStrings(text).map((item) => (item === null ? null : BigInt(item))))

function parseStrings(text: string): (string | null)[] {
  const parse: (text: string) => unknown = types.getTypeParser(INT8_ARRAY as typeof types.builtins.INT8)
  return parse(text) as (string | null)[]
}
