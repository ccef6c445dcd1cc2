import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils'
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg'
import { SchemaAdapterFactory } from './adapter.mjs'

/** Never connected to: commands that need no database (validate, generate) still construct an adapter. */
const NOWHERE = 'postgresql://nobody@127.0.0.1:1/none'

export async function loadEngine(datamodels, { url, shadowUrl }) {
  await instantiate()
  const adapter = bindMigrationAwareSqlAdapterFactory(new SchemaAdapterFactory(url ?? NOWHERE, shadowUrl))
  const log = (line) => process.env.DEBUG && process.stderr.write(`${line}\n`)
  return bindings.SchemaEngine.new({ datamodels: datamodels.length > 0 ? datamodels : undefined }, log, adapter)
}

async function instantiate() {
  const entry = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm')
  const wasm = readFileSync(entry.replace(/schema_engine\.js$/, 'schema_engine_bg.wasm'))
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': bindings })
  bindings.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()
  globalThis.PRISMA_WASM_PANIC_REGISTRY ??= {
    set_message(message) {
      this.message = message
    },
  }
}
