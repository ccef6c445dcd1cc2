import { Injectable } from '@nestjs/common'
import { isProviderDomain } from '../../protocol/identifiers.js'
import { readCbor } from '../../protocol/strict-cbor.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { IssuerDirectory } from '../../tokens/issue/issuer-directory.js'
import type { OtherIssuers } from '../../tokens/issue/attester.js'
import { HubBadResponse, hubProblem } from '../peer-problems.js'
import type { Endpoint } from '../identity/endpoints.js'
import { SignedClient } from '../outbound/signed-client.js'
import { SharedCopies } from './shared-copies.js'

/** Far shorter than the time for which a key is published before it signs. */
const MAX_AGE_MS = 300_000

/** The token issuers of hubs, asked on behalf of local users without naming them. */
@Injectable()
export class RemoteIssuers implements OtherIssuers {
  private readonly copies = new SharedCopies(MAX_AGE_MS, (issuer) => this.fetch(issuer))

  constructor(private readonly client: SignedClient) {}

  directory(issuer: string): Promise<IssuerDirectory> {
    return this.copies.of(issuer)
  }

  issue(issuer: string, batch: Uint8Array): Promise<Uint8Array> {
    return this.ask(issuer, 'issueTokens', batch)
  }

  private async fetch(issuer: string): Promise<IssuerDirectory> {
    const parsed = IssuerDirectory.safeParse(readCbor(await this.ask(issuer, 'tokenDirectory', new Uint8Array())))
    if (!parsed.success) throw new HubBadResponse()
    return parsed.data
  }

  private async ask(issuer: string, endpoint: Endpoint, body: Uint8Array): Promise<Uint8Array> {
    if (!isProviderDomain(issuer)) throw new InvalidRequest('issuer must be a domain name.')
    const answer = await this.client.send({ peer: issuer, endpoint, argument: issuer, body })
    if (answer.kind === 'answered' && answer.status === 200) return answer.body
    throw hubProblem(answer)
  }
}
