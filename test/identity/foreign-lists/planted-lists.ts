import { randomUUID } from 'node:crypto'
import { ListCopies } from '../../../src/federation/device-lists/list-copies.js'
import { Metrics } from '../../../src/platform/observability/metrics.js'
import { Http, newName, TestDevice } from '../../authentication/device-fixture.js'
import type { Provider } from '../../support/federation.js'
import { introduced } from '../../support/introduced.js'
import { ListMaker, privateKey } from '../../support/mls/device-lists.js'

/** A device of a provider's user, by plain HTTP. */
export class DeviceOf extends TestDevice {
  constructor(
    readonly provider: Provider,
    name = newName(),
    device = 'phone',
  ) {
    super(new Http(provider.url), name, device)
  }
  override get client(): string {
    return super.client.replace('localhost', this.provider.domain)
  }
  override get user(): string {
    return super.user.replace('localhost', this.provider.domain)
  }
}

/** A list that a hostile provider puts into its database, as it likes. */
export class PlantedList {
  private constructor(
    private readonly provider: Provider,
    readonly maker: ListMaker,
  ) {}

  static async begin(provider: Provider, name: string = randomUUID()): Promise<PlantedList> {
    const maker = await ListMaker.begin(`mimi://${provider.domain}/u/${name}`)
    await maker.certify(maker.root, `mimi://${provider.domain}/d/${name}/phone`, privateKey())
    const list = new PlantedList(provider, maker)
    await list.plant()
    return list
  }

  get user(): string {
    return this.maker.user
  }

  get bytes(): number {
    return this.maker.entries.reduce((sum, { length }) => sum + length, 0)
  }

  /** Two entries of 15 KB, of which a reader can check little: the keys are of a scheme that nobody knows. */
  async swell(): Promise<void> {
    const { maker } = this
    const unknown = Array.from({ length: 15 }, (_, index) => ({
      scheme: 0xfe00,
      publicKey: Buffer.alloc(1_000, `${maker.number} ${index} `),
      possession: Buffer.alloc(0),
    }))
    const client = `${this.user.replace('/u/', '/d/')}/device-${maker.number}`
    const { keys, ...certificate } = await maker.certificate(client, [privateKey()])
    await maker.append(maker.root, { type: 'certificate', certificate: { ...certificate, keys: [...keys, ...unknown] } })
    await maker.revoke(maker.root, maker.number)
  }

  async plant(): Promise<void> {
    const { maker } = this
    const { pool } = this.provider
    await pool.query('INSERT INTO account (user_uri) VALUES ($1) ON CONFLICT DO NOTHING', [maker.user])
    await introduced(this.provider, maker.user, 'a.example', 'b.example', 'c.example')
    await pool.query(
      `INSERT INTO device_list_entry (account_id, identity, number, bytes)
       SELECT a.id, $2, x.number, x.bytes FROM account a, unnest($3::bytea[]) WITH ORDINALITY AS x (bytes, number) WHERE a.user_uri = $1
       ON CONFLICT DO NOTHING`,
      [maker.user, maker.identity, maker.entries],
    )
    await pool.query(
      `INSERT INTO device_list (account_id, identity, number, hash, head, head_issued_at, head_expires_at)
       SELECT a.id, $2, $3, '', $4, now(), now() FROM account a WHERE a.user_uri = $1
       ON CONFLICT (account_id) DO UPDATE SET identity = excluded.identity, number = excluded.number, head = excluded.head`,
      [maker.user, maker.identity, maker.number, await maker.head(maker.root)],
    )
  }
}

/** Later than what those who ask at the same time share. */
export function later({ app }: Provider, ms = 60_000): void {
  const copies = app.get(ListCopies, { strict: false })
  const { now } = copies
  copies.now = () => now() + ms
}

/** Entries of other providers' lists whose signatures were checked so far. */
export async function checkedBy({ app }: Provider): Promise<number> {
  const counter = app.get(Metrics, { strict: false }).registry.getSingleMetric('foreign_device_list_entries_checked_total')
  return (await counter?.get())?.values[0]?.value ?? 0
}

export async function countOf({ pool }: Provider, table: string, where = 'true'): Promise<number> {
  return (await pool.query(`SELECT FROM ${table} WHERE ${where}`)).rowCount ?? 0
}
