/** The embedded PostgreSQL cannot be used as things are. The message is for whoever starts the server. */
export class EmbeddedPostgresError extends Error {}

/**
 * Why a program of PostgreSQL failed: one sentence where its output has a cause that an operator can remove, else the output.
 * @param summary what is said before the output
 * @param path the data folder
 */
export function programFailure(summary: string, output: string, path: string): EmbeddedPostgresError {
  if (/No space left on device|Disk quota exceeded/.test(output))
    return new EmbeddedPostgresError(`There is no room left on the disk for ${path}.`)
  return new EmbeddedPostgresError(`${summary}:\n${output.trim()}`)
}
