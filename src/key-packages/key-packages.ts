import { secondsNow } from '../platform/timing.js'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { DeviceRevoked } from '../authentication/authentication.problems.js'
import { listedCertificates } from '../authentication/directory/leaf-certificates.repository.js'
import { judgeLeaf } from '../authentication/directory/leaf-certificates.js'
import { activeKeys } from '../authentication/directory/directory.repository.js'
import type { Caller } from '../authentication/session/caller.js'
import { X509Credentials } from '../authentication/x509/x509-credentials.js'
import { CONFIG, type Config } from '../platform/config/config.js'
import { NotFound } from '../platform/http/problem.js'
import { Events } from '../platform/observability/events.js'
import { POOL } from '../platform/postgres/sql.js'
import { hex } from '../protocol/bytes.js'
import type { ChainVerdict } from '../protocol/x509/chain.js'
import type { KeyPackageCounts, KeyPackagesStored, UploadKeyPackages } from './key-packages.dto.js'
import { keyPackagesUploaded } from './key-packages.events.js'
import { KeyPackageRefused, KeyPackageUndecodable, RoleChanged, TooManyKeyPackages, type UploadPosition } from './key-packages.problems.js'
import { countKeyPackages, deleteKeyPackages, storeKeyPackages } from './key-packages.repository.js'
import { checkKeyPackage, type CheckedKeyPackage, type UploadTerms } from './check-key-package.js'

/** The KeyPackages that a device publishes. */
@Injectable()
export class KeyPackages {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Config,
    private readonly x509: X509Credentials,
    private readonly events: Events,
  ) {}

  /** All or nothing. A repeated upload gets the same answer and changes nothing, whatever was handed out in between. */
  async upload(caller: Caller, upload: UploadKeyPackages): Promise<KeyPackagesStored> {
    const terms = {
      client: caller.client,
      keys: (await activeKeys(this.pool, caller.deviceId)).map((key) => key.publicKey),
      now: new Date(),
      maxLifetimeMs: this.config.KEY_PACKAGE_MAX_LIFETIME,
      maxAgeMs: this.config.KEY_PACKAGE_MAX_AGE,
      otherSuites: new Map(upload.other_suites.map(({ cipher_suite: suite, hash }) => [suite, hash])),
    }
    const placed = await checkAll(upload, terms)
    await this.checkCredentials(placed)
    await this.checkCertificates(caller, placed)
    const checked = placed.map(({ keyPackage }) => keyPackage)
    await this.store(caller.deviceId, checked)
    keyPackagesUploaded(this.events, { count: checked.length, last_resort: checked.filter((item) => item.lastResort).length })
    return {
      stored: checked.map((item) => ({
        ref: item.ref,
        cipher_suite: item.cipherSuite,
        last_resort: item.lastResort,
        expires_at: item.expiresAt,
      })),
    }
  }

  async counts(caller: Caller): Promise<KeyPackageCounts> {
    const counts = await countKeyPackages(this.pool, caller.deviceId)
    return {
      cipher_suites: counts.map((count) => ({
        cipher_suite: count.cipherSuite,
        available: count.available,
        last_resort: count.lastResort,
      })),
      low: this.config.KEY_PACKAGE_LOW,
      maximum: this.config.KEY_PACKAGE_MAX_PER_DEVICE,
    }
  }

  async deleteAll(caller: Caller): Promise<{ deleted: number }> {
    return { deleted: await deleteKeyPackages(this.pool, caller.deviceId) }
  }

  async deleteOne(caller: Caller, ref: Uint8Array): Promise<{ deleted: number }> {
    const deleted = await deleteKeyPackages(this.pool, caller.deviceId, ref)
    if (deleted === 0) throw new NotFound('This device has no such KeyPackage here, or it was claimed.')
    return { deleted }
  }

  /** Of leaves that show a certificate (docs/identity.md §4), in one statement. @throws KeyPackageRefused */
  private async checkCertificates({ client, deviceId }: Caller, placed: readonly Placed[]): Promise<void> {
    const shown = placed.flatMap(({ keyPackage: { certificate: extension, signatureKey: publicKey }, position }) =>
      extension === undefined ? [] : [{ client, publicKey, extension, position }],
    )
    const listed = await listedCertificates(this.pool, deviceId, shown, false)
    const now = secondsNow()
    for (const [index, leaf] of shown.entries()) {
      const found = listed[index]
      const verdict = found && judgeLeaf(leaf, found, now)
      if (verdict?.kind === 'broken') throw new KeyPackageRefused(leaf.position, verdict.rule)
    }
  }

  /** X.509 credentials (docs/x509.md §2), which a KeyPackage does not outlive. @throws KeyPackageRefused */
  private async checkCredentials(placed: readonly Placed[]): Promise<void> {
    // Most KeyPackages of one suite have the same credential.
    const verdicts = new Map<string, ChainVerdict>()
    for (const { keyPackage, position } of placed) {
      const { x509, signatureKey } = keyPackage
      if (!x509) continue
      const credential = [signatureKey, ...x509.certificates].map(hex).join(' ')
      const verdict = verdicts.get(credential) ?? (await this.x509.check({ certificates: x509.certificates, signatureKey }))
      verdicts.set(credential, verdict)
      if (verdict.kind === 'broken') throw new KeyPackageRefused(position, verdict.rule)
      if (verdict.notAfter < x509.notAfter) throw new KeyPackageRefused(position, 'x509-lifetime', { not_after: Number(verdict.notAfter) })
    }
  }

  private async store(deviceId: bigint, keyPackages: readonly CheckedKeyPackage[]): Promise<void> {
    const { KEY_PACKAGE_MAX_PER_DEVICE: max, KEY_PACKAGE_LOW: low } = this.config
    const outcome = await storeKeyPackages(this.pool, deviceId, keyPackages, { max, low })
    if (outcome === 'revoked') throw new DeviceRevoked()
    if (outcome === 'too-many') throw new TooManyKeyPackages(max)
    if (outcome === 'role') throw new RoleChanged()
  }
}

interface Placed {
  keyPackage: CheckedKeyPackage
  position: UploadPosition
}

/** One after another, so that a large upload has one thread of the pool and a bad one stops at its first fault. */
async function checkAll(upload: UploadKeyPackages, terms: UploadTerms): Promise<Placed[]> {
  const checked = new Map<string, Placed>()
  const lastResorts = new Set<number>()
  for (const { bytes, ...position } of positions(upload)) {
    const keyPackage = await checkOne(bytes, position, terms)
    const ref = Buffer.from(keyPackage.ref).toString('hex')
    const twin = checked.get(ref)?.keyPackage
    if (twin && twin.lastResort !== keyPackage.lastResort) throw new RoleChanged()
    if (twin) continue
    if (keyPackage.lastResort && lastResorts.has(keyPackage.cipherSuite)) {
      throw new KeyPackageRefused(position, 'one-last-resort-per-suite')
    }
    if (keyPackage.lastResort) lastResorts.add(keyPackage.cipherSuite)
    checked.set(ref, { keyPackage, position })
  }
  return [...checked.values()]
}

function positions(upload: UploadKeyPackages): (UploadPosition & { bytes: Uint8Array })[] {
  return (['key_packages', 'last_resort'] as const).flatMap((list) => upload[list].map((bytes, index) => ({ list, index, bytes })))
}

async function checkOne(bytes: Uint8Array, position: UploadPosition, terms: UploadTerms): Promise<CheckedKeyPackage> {
  const verdict = await checkKeyPackage(bytes, position.list === 'last_resort', terms)
  switch (verdict.kind) {
    case 'undecodable':
      throw new KeyPackageUndecodable(position, verdict.reason)
    case 'refused':
      throw new KeyPackageRefused(position, verdict.rule, verdict.facts)
    case 'accepted':
      return verdict.keyPackage
  }
}
