import { createServer, type AddressInfo } from 'node:net'

/** `preferred` if nobody listens on it, else any free port of the loopback interface. Anyone who takes it first has it: be ready to ask again. */
export async function findFreePort(preferred: number): Promise<number> {
  return (await probe(preferred)) ?? (await probe(0)) ?? preferred
}

async function probe(port: number): Promise<number | undefined> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  } catch {
    return undefined
  } finally {
    server.close()
  }
}
