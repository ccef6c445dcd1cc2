import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Limits } from '../../platform/limits/limits.js'
import { haveCommonProfile } from '../identity/endpoints.js'
import { Admission } from '../peers/admission.js'
import { PeerDirectories } from '../peers/peer-directories.js'
import { PeerDenied, ProfileUnsupported } from './inbound.problems.js'

/** Who is let in, and how often. */
@Injectable()
export class Admittance {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION_REQUESTS_PER_MINUTE'>,
    private readonly admission: Admission,
    private readonly limits: Limits,
    private readonly directories: PeerDirectories,
  ) {}

  async admit(domain: string): Promise<void> {
    if (!(await this.admission.admits(domain))) throw new PeerDenied()
  }

  /** Only of who has been found to be who they say: nobody shall use up what is another's. */
  async count(domain: string): Promise<void> {
    const points = this.config.FEDERATION_REQUESTS_PER_MINUTE
    await this.limits.take({ name: 'peer-requests', points, seconds: 60 }, domain)
  }

  /** Once it is certain who asks: a refusal then tells it why nothing can come of this. */
  async agree(domain: string): Promise<void> {
    if (!haveCommonProfile((await this.directories.of(domain, 'inbound'))?.profiles ?? [])) throw new ProfileUnsupported()
  }
}
