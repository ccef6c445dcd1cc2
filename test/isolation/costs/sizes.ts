/** Entries of about a kilobyte, as many as fit into a page. */
export const LOG_PAGE_ENTRIES = 500
