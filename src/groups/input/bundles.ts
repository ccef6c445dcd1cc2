import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import type { SubmitCommit } from '../commit/commit.dto.js'
import { LargeTrees } from '../state/trees/large-trees.js'
import { decodeBundle, type Bundle } from './bundle.js'

/** Decodes what comes with a Commit within this server's limits, large trees off the event loop and only when asked for. */
@Injectable()
export class Bundles {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly trees: LargeTrees,
  ) {}

  /** @param user who pays for a large tree, by URI */
  decode(user: string, groupId: Uint8Array, body: SubmitCommit): Bundle {
    const bundle = decodeBundle(groupId, body, this.config, this.trees)
    const { tree } = bundle
    return tree ? { ...bundle, tree: () => this.trees.paidBy(user, tree) } : bundle
  }
}
