import { decodeMlsMessage, type PrivateMessage } from 'ts-mls'

export function privateMessage(bytes: Uint8Array): PrivateMessage {
  const message = decodeMlsMessage(bytes, 0)?.[0]
  if (message?.wireformat !== 'mls_private_message') throw new Error('Not a PrivateMessage')
  return message.privateMessage
}
