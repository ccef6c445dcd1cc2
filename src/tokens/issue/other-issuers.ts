import { Injectable } from '@nestjs/common'
import type { IssuerDirectory } from './issuer-directory.dto.js'

/** Issuers of other providers, as this layer needs them. The layer that knows how to talk to those connects itself. */
export interface OtherIssuers {
  directory(issuer: string): Promise<IssuerDirectory>
  /** Passes a batch on; the answer is the issuer's. Whom it is for is not said. */
  issue(issuer: string, batch: Uint8Array): Promise<Uint8Array>
}

/** Unconnected, this server knows no other issuer. */
@Injectable()
export class IssuerLink {
  private connected: OtherIssuers | undefined

  get others(): OtherIssuers | undefined {
    return this.connected
  }

  connect(others: OtherIssuers): void {
    this.connected = others
  }
}
