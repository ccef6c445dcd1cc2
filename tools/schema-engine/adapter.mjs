import { randomUUID } from 'node:crypto'
import { PrismaPg } from '@prisma/adapter-pg'

/** PostgreSQL's internal one-byte type "char", which the engine's introspection reads and adapter-pg cannot map. */
const OID_CHAR = 18
const OID_BPCHAR = 1042
/** ColumnTypeEnum.Character of @prisma/driver-adapter-utils. */
const COLUMN_CHARACTER = 6

/** adapter-pg with three faults mended that only the schema engine meets: "char", scripts, and the shadow database. */
export class SchemaAdapterFactory extends PrismaPg {
  #url
  #shadowUrl

  constructor(url, shadowUrl) {
    super({ connectionString: url })
    this.#url = url
    this.#shadowUrl = shadowUrl
  }

  async connect() {
    return mend(await super.connect())
  }

  /** adapter-pg would hand out the main database, and `migrate dev` would then reset it. */
  async connectToShadowDb() {
    if (this.#shadowUrl) return connect(this.#shadowUrl)
    const name = `prisma_migrate_shadow_db_${randomUUID()}`
    const admin = await super.connect()
    await admin.underlyingDriver().query(`CREATE DATABASE "${name}"`)
    const url = new URL(this.#url)
    url.pathname = `/${name}`
    const adapter = await connect(url.href)
    const dispose = adapter.dispose.bind(adapter)
    adapter.dispose = async () => {
      await dispose()
      await admin.underlyingDriver().query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)
      await admin.dispose()
    }
    return adapter
  }
}

async function connect(connectionString) {
  return mend(await new PrismaPg({ connectionString }).connect())
}

function mend(adapter) {
  const performIO = adapter.performIO.bind(adapter)
  const { queryRaw } = Object.getPrototypeOf(adapter)

  adapter.queryRaw = async (query) => {
    const { fields, rows } = await performIO(query)
    const isChar = fields.map((field) => field.dataTypeID === OID_CHAR)
    const mapped = fields.map((field, index) => (isChar[index] ? { ...field, dataTypeID: OID_BPCHAR } : field))
    // The prototype's method runs its own query through `this`: give it the rows that we already have.
    const answered = Object.assign(Object.create(adapter), { performIO: async () => ({ fields: mapped, rows }) })
    const result = await queryRaw.call(answered, query)
    const columnTypes = result.columnTypes.map((type, index) => (isChar[index] ? COLUMN_CHARACTER : type))
    return { ...result, columnTypes }
  }

  if (adapter.executeScript) {
    // adapter-pg splits scripts at every ';', also inside a function's body. PostgreSQL takes the whole script at once.
    adapter.executeScript = async (script) => {
      try {
        await adapter.underlyingDriver().query(script)
      } catch (error) {
        adapter.onError(error)
      }
    }
  }
  if (adapter.startTransaction) {
    const start = adapter.startTransaction.bind(adapter)
    adapter.startTransaction = async (level) => mend(await start(level))
  }
  return adapter
}
