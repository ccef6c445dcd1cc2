/** The embedded PostgreSQL cannot be used as things are. The message is for whoever starts the server. */
export class EmbeddedPostgresError extends Error {}
