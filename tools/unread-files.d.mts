/** Whether the image leaves a file of a package out. @param path from the folder above `node_modules`, with slashes */
export function isUnread(path: string): boolean
