import type { Client } from './client/client.js'
import type { Accepted } from './client/group.js'

let chapters = 0

export function chapter(title: string): void {
  process.stdout.write(`\n${++chapters}. ${title}\n`)
}

export function note(text: string): void {
  process.stdout.write(`   ${text}\n`)
}

/** `alice-1a2b3c/phone` */
export function name(client: Client): string {
  return client.uri.split('/d/')[1] ?? client.uri
}

/** Sends a message, waits until all the others have decrypted it, and says who did. */
export async function said(sender: Client, text: string, present: readonly Client[], groupId: Uint8Array): Promise<Accepted> {
  const accepted = await sender.group(groupId).send(text)
  const readers = present.filter((client) => client !== sender)
  for (const client of [...readers, sender]) {
    await client.until(text, () =>
      client.group(groupId).record.messages.some((message) => message.text === text && message.from === sender.uri),
    )
  }
  note(`seq ${accepted.seq}, epoch ${accepted.epoch}  ${name(sender)}: "${text}"`)
  note(`                 decrypted by ${readers.map(name).join(', ')}`)
  return accepted
}
