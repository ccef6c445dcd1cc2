import { Injectable } from '@nestjs/common'
import { FirstResults } from '../inbound/first-results.js'
import type { Peer } from '../inbound/peer.js'
import { KeyMaterialForwarder } from './key-material-forwarder.js'
import { KeyMaterial } from './key-material.service.js'

/** The same answer for the same request, until one of its KeyPackages has been used: then anyone who asks again wants others. */
@Injectable()
export class KeyMaterialAnswers {
  constructor(
    private readonly results: FirstResults,
    private readonly material: KeyMaterial,
    private readonly forwarder: KeyMaterialForwarder,
  ) {}

  /** @param sender the provider that asks; ours, for a local user */
  of(sender: Peer, body: Uint8Array): Promise<Uint8Array> {
    const answer = () => this.material.answer(sender.domain, body)
    return this.results.once(sender, 'keyMaterial', body, answer, (result) => this.forwarder.isSpent(result))
  }
}
