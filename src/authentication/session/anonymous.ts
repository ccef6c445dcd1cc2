import { SetMetadata } from '@nestjs/common'

export const ANONYMOUS = Symbol('ANONYMOUS')

/** This route, or every route of this controller, takes no session. All others need a Bearer token. */
export const Anonymous = () => SetMetadata(ANONYMOUS, true)
