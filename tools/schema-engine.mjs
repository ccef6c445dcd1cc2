#!/usr/bin/env node
/**
 * Prisma's schema engine without its native binary, which would have to be downloaded: the same commands and the same JSON-RPC
 * over standard input and output, served by the WebAssembly build from the registry. Prisma's CLI starts it because
 * prisma.config.ts names it in PRISMA_SCHEMA_ENGINE_BINARY.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArguments } from './schema-engine/arguments.mjs'
import { runDatabaseCommand } from './schema-engine/database-commands.mjs'
import { loadEngine } from './schema-engine/engine.mjs'

/** JSON-RPC method names that the WebAssembly build spells differently. */
const RENAMED = { getDatabaseVersion: 'version' }

const options = parseArguments(process.argv.slice(2))

if (options.version) {
  console.log('schema-engine-cli (WebAssembly)')
} else if (options.command) {
  process.exitCode = await runDatabaseCommand(options.command, options.url)
} else {
  await serve()
}

async function serve() {
  const datamodels = options.datamodels.map((path) => [path, readFileSync(path, 'utf8')])
  let engine
  const answers = []
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line)
    if (!request.method) continue // the CLI's reply to one of our notifications
    engine ??= loadEngine(datamodels, options)
    answers.push(answer(engine, request))
  }
  await Promise.all(answers)
  process.exit() // the adapter may still hold idle connections
}

async function answer(engine, { id, method, params }) {
  try {
    const loaded = await engine
    const name = RENAMED[method] ?? method
    if (typeof loaded[name] !== 'function') throw new Error(`The WebAssembly schema engine has no method ${name}`)
    // Having applied migrations, the WebAssembly build forgets how to make a shadow database; the diagnosis, which changes nothing, reminds it.
    if (name === 'evaluateDataLoss') await loaded.devDiagnostic(params)
    const result = await loaded[name](params ?? {})
    // The native engine prints a diff by calling back; the WebAssembly build returns it.
    if (method === 'diff' && result?.stdout) send({ id: -id, method: 'print', params: { content: result.stdout } })
    send({ id, result: result ?? null })
  } catch (error) {
    const message = String(error.message ?? error)
    send({ id, error: { code: 4466, message, data: { is_panic: false, error_code: error.code, message } } })
  }
}

function send(message) {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
}
