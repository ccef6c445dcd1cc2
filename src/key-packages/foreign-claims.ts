import { Injectable } from '@nestjs/common'
import type { Caller } from '../authentication/session/caller.js'
import { NotFound } from '../platform/http/problem.js'
import type { KeyPackagesClaimed } from './key-packages.dto.js'

export type ForeignClaim = (caller: Caller, user: string, request: Uint8Array) => Promise<KeyPackagesClaimed>

/** Claims that other providers answer, or that are for rooms of theirs. The layer that knows them connects itself. */
@Injectable()
export class ForeignClaims {
  private send: ForeignClaim | undefined

  get connected(): boolean {
    return this.send !== undefined
  }

  connect(send: ForeignClaim): void {
    this.send = send
  }

  claim(caller: Caller, user: string, request: Uint8Array): Promise<KeyPackagesClaimed> {
    if (!this.send) throw new NotFound('This server does not federate.')
    return this.send(caller, user, request)
  }
}
