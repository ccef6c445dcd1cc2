import type { FastifyInstance } from 'fastify'

/** Remembers every route, to tell a wrong method (405) from a wrong address (404). Asked only after a miss. */
export class AllowedMethods {
  private readonly methods = new Map<string, Set<string>>()

  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRoute', (route) => {
      const known = this.methods.get(route.url) ?? new Set()
      for (const method of [route.method].flat()) known.add(method)
      this.methods.set(route.url, known)
    })
  }

  /**
   * Of the routes with the fewest parameters that fit: `/v1/key-packages/claims` is a resource of its own and no `/v1/key-packages/:ref`.
   * @param path without query; parameters match one segment each, as in the router
   */
  of(path: string): string[] {
    const segments = path.split('/')
    const fitting = [...this.methods].filter(([template]) => !template.includes('*') && matches(template.split('/'), segments))
    const fewest = Math.min(...fitting.map(([template]) => parametersIn(template)))
    const methods = fitting.filter(([template]) => parametersIn(template) === fewest).flatMap(([, of]) => [...of])
    return [...new Set(methods)].sort()
  }
}

function matches(template: readonly string[], segments: readonly string[]): boolean {
  return (
    template.length === segments.length &&
    template.every((part, index) => (part.startsWith(':') ? segments[index] !== '' : part === segments[index]))
  )
}

function parametersIn(template: string): number {
  return template.split('/').filter((part) => part.startsWith(':')).length
}
