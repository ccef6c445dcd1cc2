import { refuseOldNode } from './app/node-version.js'

refuseOldNode()
// Only now: an older Node fails while it links modules that use what it does not have.
await import('./app/run-server.js')
