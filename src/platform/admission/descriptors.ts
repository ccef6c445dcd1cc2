/** For PostgreSQL, Redis, other providers, files and the embedded database's pipes. */
const OTHER_DESCRIPTORS = 200
const UNKNOWN = 10_000

/**
 * @param configured MAX_CONNECTIONS; 0 derives it from the process's limit of open files
 * @returns how many connections may be open at once, so that descriptors are left for everything else
 */
export function maxConnections(configured: number): number {
  if (configured > 0) return configured
  const open = openFilesLimit()
  return open === undefined ? UNKNOWN : Math.max(100, open - OTHER_DESCRIPTORS)
}

/** The soft limit (`ulimit -n`), which Node shows only in its diagnostic report. */
function openFilesLimit(): number | undefined {
  const { report: diagnostic } = process
  // Otherwise names of peers are looked up, which takes its time.
  Object.assign(diagnostic, { excludeNetwork: true })
  const report = diagnostic.getReport() as { userLimits?: { open_files?: { soft: number | string } } }
  const soft = Number(report.userLimits?.open_files?.soft)
  return Number.isFinite(soft) ? soft : undefined
}
