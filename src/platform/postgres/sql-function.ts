/**
 * A call of a function of prisma/functions with each parameter by its name, so that neither side depends on the order of the other.
 * @param parameters name of the SQL parameter → value; all of them, since none has a default
 * @returns `call`: `name(p_a => $1, p_b => $2)`, the same text for the same names; `values`: for `$1` and so on
 */
export function callFunction(name: string, parameters: Readonly<Record<string, unknown>>): { call: string; values: unknown[] } {
  const placed = Object.keys(parameters).map((parameter, index) => `${parameter} => $${index + 1}`)
  return { call: `${name}(${placed.join(', ')})`, values: Object.values(parameters) }
}
