import { createPrivateKey } from 'node:crypto'
import type { Pool } from 'pg'
import { generateKeyPackageWithKey } from 'ts-mls'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import type { Client } from '../../examples/client/client.js'
import { capabilities, lifetime, suite } from '../../examples/client/mls/suites.js'
import { toHex, utf8 } from '../../examples/client/wire.js'
import { LEAF_CERTIFICATE_EXTENSION } from '../../src/protocol/identity/leaf-certificate.js'
import { HOLDERS } from '../../src/protocol/identity/entry.js'
import type { DeviceCertificate } from '../../src/protocol/identity/entry.js'
import { extendList } from '../../src/protocol/identity/list.js'
import { ListMaker, seconds, type Holder } from '../support/mls/device-lists.js'

/** The device list of a user of the example client, written into the database as the server would have stored it. */
export class StoredList {
  private constructor(
    private readonly pool: Pool,
    readonly maker: ListMaker,
  ) {}

  /** A new identity; a list that there was stays as history. */
  static async begin(pool: Pool, { user }: Client): Promise<StoredList> {
    return new StoredList(pool, await ListMaker.begin(user))
  }

  /** With all keys of the device; by the identity key, unless another holder signs. */
  async certify(client: Client, signer: Holder = this.maker.root, wish: Partial<DeviceCertificate> = {}): Promise<Holder> {
    const keys = keysOf(client)
    const certificate = await this.maker.certificate(client.uri, keys, wish)
    await this.maker.append(signer, { type: 'certificate', certificate })
    await this.store()
    return { number: this.maker.number, key: keys[0]! }
  }

  async revoke(signer: Holder, { number }: Pick<Holder, 'number'>): Promise<void> {
    await this.maker.revoke(signer, number)
    await this.store()
  }

  /** Writes all that the entries say, in one transaction. */
  async store(): Promise<void> {
    const { maker } = this
    const read = await extendList(maker.user, undefined, maker.entries, seconds())
    if (read.kind === 'broken') throw new Error(read.rule)
    const list = read.value
    const connection = await this.pool.connect()
    const query = (text: string, values: unknown[]) => connection.query(text, values)
    try {
      await query('BEGIN', [])
      const { rows } = await query('SELECT id FROM account WHERE user_uri = $1', [maker.user])
      const account: bigint = rows[0].id
      await query(
        `INSERT INTO device_list (account_id, identity, number, hash, head, head_issued_at, head_expires_at) VALUES ($1, $2, $3, $4, $5, now(), now())
         ON CONFLICT (account_id) DO UPDATE SET identity = excluded.identity, number = excluded.number, hash = excluded.hash, head = excluded.head,
           identities = device_list.identities + CASE WHEN device_list.identity = excluded.identity THEN 0 ELSE 1 END`,
        [account, list.identity, maker.number, list.hashes.at(-1), await maker.head(maker.root)],
      )
      for (const [index, bytes] of maker.entries.entries())
        await query('INSERT INTO device_list_entry VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [
          account,
          list.identity,
          index + 1,
          bytes,
        ])
      await query('UPDATE device_certificate SET ended = 0 WHERE account_id = $1 AND identity <> $2 AND ended IS NULL', [
        account,
        list.identity,
      ])
      await query('UPDATE signature_key k SET certificate = NULL FROM device d WHERE d.account_id = $1 AND k.device_id = d.id', [account])
      for (const { number, kind, subject, rights, notBefore, notAfter, end, keys, signer } of list.certificates.values()) {
        await query(
          `INSERT INTO device_certificate (account_id, identity, number, kind, device_id, rights, not_before, not_after, ended, replaced, signer)
           VALUES ($1, $2, $3, $4, (SELECT id FROM device WHERE client_uri = $5), $6, to_timestamp($7), to_timestamp($8), $9, $10, $11)
           ON CONFLICT (account_id, identity, number) DO UPDATE SET ended = excluded.ended, replaced = excluded.replaced`,
          [
            ...[account, list.identity, number, HOLDERS[kind], subject, rights, Number(notBefore), Number(notAfter)],
            ...[end?.number ?? null, end?.by === 'replacement', signer],
          ],
        )
        if (end === undefined)
          await query('UPDATE signature_key SET certificate = $1 WHERE public_key = ANY ($2)', [
            number,
            keys.map(({ publicKey }) => Buffer.from(publicKey)),
          ])
      }
      await query('COMMIT', [])
    } catch (error) {
      await query('ROLLBACK', [])
      throw error
    } finally {
      connection.release()
    }
  }
}

function keysOf({ device }: Client) {
  return [...device.record.keys.values()].map(({ signKey }) =>
    createPrivateKey({ key: Buffer.from(signKey), format: 'der', type: 'pkcs8' }),
  )
}

/** From here on the device's new leaves carry this extension; undefined: none. */
export function show({ device }: Client, certificate: Uint8Array | undefined): void {
  device.newKeyPackage = async (suiteId, last) => {
    const { impl } = await suite(suiteId)
    const keys = device.record.keys.get(suiteId)!
    const credential = { credentialType: 'basic' as const, identity: utf8(device.client) }
    const of = { ...capabilities(device.suites, device.proposalTypes), extensions: [LEAF_CERTIFICATE_EXTENSION] }
    const extensions = certificate ? [{ extensionType: LEAF_CERTIFICATE_EXTENSION, extensionData: certificate }] : []
    const made = await generateKeyPackageWithKey(credential, of, lifetime(), [], keys, impl, extensions)
    const ref = toHex(await makeKeyPackageRef(made.publicPackage, impl.hash))
    return { ref, suite: suiteId, public: made.publicPackage, private: made.privatePackage, lastResort: last === true }
  }
}
