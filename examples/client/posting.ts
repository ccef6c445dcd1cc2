import type { Device } from './device.js'
import { isTransient } from './http.js'
import type { GroupRecord } from './store.js'
import { toBase64Url } from './wire.js'

export interface Accepted {
  seq: number
  epoch: number
  incarnation: number
  chain: Uint8Array
  /** Where the log that the own provider shows ends, if that is before `seq`. */
  readable_seq?: number
}

/** A frame of the stream has at most 64 KiB; the message is all of it but a few hundred bytes. */
const MOST_IN_A_FRAME = 63 * 1024

/**
 * Sends an application message: over the stream if this device wants that and has one, else by HTTP. Over the stream nothing but a frame is
 * sent for it: no head, no token, no proof. A post that got no answer, or a refusal for the moment, is sent again by HTTP: the server knows the same bytes and
 * answers as it did.
 */
export async function postMessage(device: Device, record: GroupRecord, message: Uint8Array): Promise<Accepted> {
  const { groupId, incarnation } = record
  if (device.posts === 'stream' && device.stream?.open && message.length <= MOST_IN_A_FRAME) {
    try {
      return await device.stream.post(groupId, message, incarnation)
    } catch (error) {
      if (!isTransient(error)) throw error
    }
  }
  return device.http.postMessage<Accepted>(`/v1/groups/${toBase64Url(groupId)}/messages`, message, incarnation)
}
