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

  /** @param path without query; parameters match one segment each, as in the router */
  of(path: string): string[] {
    const segments = path.split('/')
    const allowed = new Set<string>()
    for (const [template, methods] of this.methods) {
      if (!template.includes('*') && matches(template.split('/'), segments)) for (const method of methods) allowed.add(method)
    }
    return [...allowed].sort()
  }
}

function matches(template: readonly string[], segments: readonly string[]): boolean {
  return (
    template.length === segments.length &&
    template.every((part, index) => (part.startsWith(':') ? segments[index] !== '' : part === segments[index]))
  )
}
