import type { FastifyInstance, FastifyRequest } from 'fastify'

/** What a room looks like in an address: some proxies decode these slashes, merge two of them into one, or refuse them. */
const NAME = encodeURIComponent('mimi://path.check/r/room')

/** What `cli doctor` asks for through the proxy: a name with escaped slashes in the path, and one in the query. */
export const PATH_CHECK = `/v1/path-check/${NAME}`
export const QUERY_CHECK = `/v1/path-check?room=${NAME}`

/** Says whether the address arrived as it was sent, and shows nothing of it. Decoded slashes lead to no route, and so to 404. */
export function servePathCheck(fastify: FastifyInstance): void {
  const answer = (sent: string) => (request: FastifyRequest) => ({ unaltered: request.raw.url === sent })
  const config = { anonymous: true, unlogged: true } as const
  fastify.get('/v1/path-check/:name', { config }, answer(PATH_CHECK))
  fastify.get('/v1/path-check', { config }, answer(QUERY_CHECK))
}
