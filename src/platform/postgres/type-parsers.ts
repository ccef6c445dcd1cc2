import { TypeOverrides, types } from 'pg'

/** int8[]; pg's own list of type ids has no arrays. */
const INT8_ARRAY = 1016

/** Ids and seqs are 64 bits wide: a JavaScript number would round them silently, a string would compare wrongly. Per pool, as Prisma has its own. */
export const typeParsers = new TypeOverrides()
typeParsers.setTypeParser(types.builtins.INT8, BigInt)
typeParsers.setTypeParser(INT8_ARRAY, parseBigInts)

/** `{1,NULL,2}`, of one dimension. */
function parseBigInts(text: string): (bigint | null)[] {
  const items = text.slice(1, -1)
  return items === '' ? [] : items.split(',').map((item) => (item === 'NULL' ? null : BigInt(item)))
}
