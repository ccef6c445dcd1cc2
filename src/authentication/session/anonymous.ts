import { routeOption } from '../../platform/http/route-options.js'

/** This route, or every route of this controller, takes no session. All others need a Bearer token. */
export const Anonymous = () => routeOption({ anonymous: true })
