import { TypeOverrides, types } from 'pg'

const INT8_ARRAY = 1016

/** Ids and seqs are 64 bits wide: a JavaScript number would round them silently, a string would compare wrongly. Per pool, as Prisma has its own. */
export const typeParsers = new TypeOverrides()
typeParsers.setTypeParser(types.builtins.INT8, BigInt)
typeParsers.setTypeParser(INT8_ARRAY, (text: string) => parseStrings(text).map((item) => (item === null ? null : BigInt(item))))

function parseStrings(text: string): (string | null)[] {
  return types.getTypeParser<(string | null)[]>(INT8_ARRAY)(text)
}
