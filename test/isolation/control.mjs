/** A bare HTTP server next to the one under test: what it takes to answer is what the machine does to any server at that moment. */
import { createServer } from 'node:http'

const server = createServer((_request, response) => response.end('{}'))
server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`))
process.stdin.resume()
process.stdin.once('end', () => process.exit(0))
