/** What keeps a running server from writing while a migration runs. @param sql of the migration @returns each fault in words */
export function faultsOf(sql: string): string[]
