import { Device, newDevice } from '../../examples/client/device.js'
import { Http } from '../../examples/client/http.js'
import { HttpLane, requestBytes } from './http-lane.js'
import { applicationMessage, type BenchGroup } from './scene.js'
import { BenchStream } from './streams.js'
import type { Order, Report } from './traffic.js'

/** The generator's process: devices that post as fast as they are answered, and read. It has no code of the server. */
const devices: Device[] = []
const streams: BenchStream[] = []
let url = ''
let serial = 0

async function register(order: Extract<Order, { do: 'register' }>): Promise<string[]> {
  url = order.url
  for (let index = 0; index < order.devices; index++) {
    const [user, client] = [`mimi://localhost/u/bench${index}`, `mimi://localhost/d/bench${index}/phone`]
    const device = new Device(new Http({ baseUrl: url }), await newDevice(user, client, [1], false))
    await device.register()
    devices.push(device)
  }
  return devices.map(({ client }) => client)
}

async function connect(): Promise<void> {
  for (const device of devices) streams.push(await BenchStream.open(`${url}/v1/stream`, device.http.credentials('GET', `${url}/v1/stream`)))
}

/** A message that nobody has posted before. */
function nextMessage(template: Buffer): Buffer {
  const message = Buffer.from(template)
  message.writeUInt32BE(++serial, message.length - 4)
  return message
}

/** Who posts where next: groups in turn, in each its members in turn. */
function* senders(groups: readonly BenchGroup[], bytes: number): Generator<{ group: BenchGroup; sender: number; template: Buffer }> {
  const templates = groups.map(({ groupId }) => applicationMessage(groupId, bytes))
  for (let index = 0; ; index++) {
    const [group, template] = [groups[index % groups.length], templates[index % groups.length]]
    if (!group || !template) return
    yield { group, sender: group.members[Math.floor(index / groups.length) % group.members.length] ?? 0, template }
  }
}

/** Prepared before the clock starts: each request has a proof of its own, as the server wants it by default. */
function requests(next: ReturnType<typeof senders>, count: number): Buffer[] {
  return Array.from({ length: count }, () => {
    const { group, sender, template } = next.next().value
    const target = `${url}/v1/groups/${Buffer.from(group.groupId).toString('base64url')}/messages`
    const credentials = devices[sender]?.http.credentials('POST', target) ?? {}
    const headers = { ...credentials, 'content-type': 'message/mls', 'group-incarnation': '1', accept: 'application/cbor' }
    return requestBytes(target, headers, nextMessage(template))
  })
}

/** More than any server here takes in a second. */
const MOST_PER_SECOND = 4_000

function posters({ way, inFlight, seconds, groups, bytes }: Run): Lane[] {
  const next = senders(groups, bytes)
  if (way === 'stream')
    return Array.from({ length: inFlight }, () => ({
      post: () => {
        const { group, sender, template } = next.next().value
        return streams[sender]?.post(group.groupId, nextMessage(template))
      },
      end: () => undefined,
    }))
  const prepared = requests(next, Math.ceil(seconds * MOST_PER_SECOND))
  return Array.from({ length: inFlight }, () => {
    const lane = new HttpLane(url)
    return {
      post: () => {
        const request = prepared.pop()
        return request && lane.send(request).then((status) => status === 200)
      },
      end: () => lane.close(),
    }
  })
}

/** One of those that are under way at a time. */
interface Lane {
  /** Posts its next message. @returns whether it was accepted; undefined: there is nothing left */
  readonly post: () => Promise<boolean> | undefined
  readonly end: () => void
}

type Run = Extract<Order, { do: 'run' }>

async function run(order: Run): Promise<Report> {
  const lanes = posters(order)
  const before = streams.map(({ counts }) => ({ ...counts }))
  const report = { accepted: 0, refused: 0, latencies: [] as number[] }
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  const until = began + order.seconds * 1_000
  const work = async (post: () => Promise<boolean> | undefined) => {
    while (performance.now() < until) {
      const sent = performance.now()
      const posted = await post()
      if (posted === undefined) return
      if (posted) report.accepted += 1
      else report.refused += 1
      report.latencies.push(performance.now() - sent)
    }
  }
  await Promise.all(lanes.map(({ post }) => work(post)))
  const seconds = (performance.now() - began) / 1_000
  await delivered(before, order.deliveriesEach * report.accepted)
  const { user, system } = process.cpuUsage(cpu)
  for (const { end } of lanes) end()
  return { ...report, ...countsSince(before), seconds, cpuSeconds: (user + system) / 1e6 }
}

function countsSince(before: readonly { entries: number; wrong: number }[]): { entries: number; wrong: number } {
  const sum = (name: 'entries' | 'wrong') =>
    streams.reduce((all, { counts }, index) => all + counts[name] - (before[index]?.[name] ?? 0), 0)
  return { entries: sum('entries'), wrong: sum('wrong') }
}

/** Until so many entries have come, or nothing has come for two seconds. */
async function delivered(before: readonly { entries: number; wrong: number }[], count: number): Promise<void> {
  for (let [seen, quiet] = [0, 0]; quiet < 200;) {
    const { entries } = countsSince(before)
    if (entries >= count) return
    quiet = entries === seen ? quiet + 1 : 0
    seen = entries
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function obey(order: Order): Promise<unknown> {
  if (order.do === 'register') return register(order)
  if (order.do === 'connect') return connect()
  if (order.do === 'run') return run(order)
  return streams.splice(0).forEach((stream) => stream.close())
}

process.on('message', (order: Order) => {
  obey(order).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))
