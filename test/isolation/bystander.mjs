/**
 * `node bystander.mjs URL CONTROL_URL TOKEN SECONDS`: an honest client from an address of its own that asks 40 times a second, on kept
 * connections and on new ones, and asks a bare server for comparison each time. Prints one line of JSON: the times of all answers in
 * milliseconds, and what was not answered with 200.
 */
import { Agent, request } from 'node:http'

const [url, controlUrl, token, seconds] = process.argv.slice(2)
const PERIOD_MS = 25
const DEADLINE_MS = 20_000
const kept = () => new Agent({ keepAlive: true, maxSockets: 4, localAddress: '127.0.0.3' })
const [agent, controlAgent] = [kept(), kept()]
let times = []
let controlTimes = []
const failures = {}

function ask(address, options, note) {
  const began = performance.now()
  return new Promise((resolve) => {
    const finish = (failure) => {
      note(performance.now() - began, failure)
      resolve()
    }
    const asked = request(address, { localAddress: '127.0.0.3', headers: { authorization: `Bearer ${token}` }, ...options }, (response) => {
      response.resume()
      response.once('end', () => finish(response.statusCode === 200 ? undefined : String(response.statusCode)))
    })
    asked.setTimeout(DEADLINE_MS, () => asked.destroy(new Error('timeout')))
    asked.once('error', (error) => finish(error.code ?? error.message))
    asked.end()
  })
}

/** Every fourth request comes on a connection of its own. */
function askBoth(n) {
  const own = n % 4 === 0
  return Promise.all([
    ask(`${url}/v1/devices`, { agent: own ? false : agent }, (time, failure) => {
      times.push(time)
      if (failure) failures[failure] = (failures[failure] ?? 0) + 1
    }),
    ask(controlUrl, { agent: own ? false : controlAgent }, (time) => controlTimes.push(time)),
  ])
}

// The first requests of a process take longer than any other.
for (let n = 0; n < 20; n += 1) await askBoth(n)
times = []
controlTimes = []

const asked = []
const count = Math.round((Number(seconds) * 1000) / PERIOD_MS)
const began = performance.now()
for (let n = 0; n < count; n += 1) {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + n * PERIOD_MS - performance.now())))
  asked.push(askBoth(n))
}
await Promise.all(asked)
process.stdout.write(`${JSON.stringify({ times, controlTimes, failures })}\n`)
process.exit(0)
