import { DAY } from '../../../examples/client/identity/list.js'
import { toHex } from '../../../examples/client/wire.js'
import { BASE, type LeafVector } from './vector-format.js'
import { client, ed, NOW, p256Key, WrittenList } from './vector-maker.js'
import { base } from './vector-steps.js'

export async function leaves(): Promise<LeafVector[]> {
  const { list, phone } = await base()
  const other = await WrittenList.begin(ed(8))
  const ended = list.copy()
  await ended.revoke(phone, 3)
  const renewed = list.copy()
  await renewed.certify(phone, [ed(2)])
  const leaf = (name: string, result: string, wish: Partial<LeafVector> & { data?: Uint8Array } = {}): LeafVector => {
    const { data = list.leaf(2), ...more } = wish
    const { scheme, publicKey } = phone.key
    const usual = { list: BASE, client: client('phone'), scheme, signature_key: toHex(publicKey), now: Number(NOW) }
    return { name, ...usual, extension: toHex(data), result, ...more }
  }
  const second = { scheme: p256Key(3).scheme, signature_key: toHex(p256Key(3).publicKey) }
  const short = p256Key(3, { compressed: true }).publicKey
  const laptop = { client: client('laptop'), scheme: p256Key(4).scheme, signature_key: toHex(p256Key(4).publicKey) }
  const [gone, replaced] = [{ list: 'a device is revoked' }, { list: 'a device renews itself, and drops a key' }]
  return [
    leaf('a device', 'valid', { keeps: ['device-certificate'] }),
    leaf('a device by its second key', 'valid', second),
    leaf('a device by its second key, as a compressed point', 'valid', { ...second, signature_key: toHex(short) }),
    leaf('a device that knows fewer entries', 'valid', { data: list.leaf(2, { listNumber: 3 }) }),
    leaf('a device that knows more entries', 'valid', { data: list.leaf(2, { listNumber: 7, listHash: list.identity }) }),
    leaf('a replaced certificate within a week', 'valid', {
      ...replaced,
      now: Number(NOW + 7n * DAY),
      keeps: ['device-certificate-current'],
    }),
    leaf('something after it', 'device-certificate', { data: new Uint8Array([...list.leaf(2), 0]) }),
    leaf('another identity', 'device-certificate', { data: list.leaf(2, { identity: other.identity }) }),
    leaf('another history', 'device-certificate', { data: list.leaf(2, { listHash: other.identity }) }),
    leaf('a list that ends before the certificate', 'device-certificate', { data: list.leaf(4, { listNumber: 3 }) }),
    leaf('an entry of another list', 'device-certificate', { data: renewed.leaf(6) }),
    leaf('another key', 'device-certificate-leaf', { signature_key: toHex(ed(9).publicKey) }),
    leaf('another device', 'device-certificate-leaf', { client: client('laptop') }),
    leaf('a certificate of a recovery key', 'device-certificate-leaf', { data: list.leaf(4) }),
    leaf('an entry without a certificate', 'device-certificate-leaf', { data: list.leaf(1) }),
    leaf('a certificate at its last second', 'valid', { now: Number(NOW + 300n * DAY), keeps: ['device-certificate-leaf'] }),
    leaf('a certificate whose time is over', 'device-certificate-leaf', { now: Number(NOW + 300n * DAY + 1n) }),
    leaf('a certificate at its first second', 'valid', { now: Number(NOW - DAY), keeps: ['device-certificate-leaf'] }),
    leaf('a certificate before its time', 'device-certificate-leaf', { now: Number(NOW - DAY - 1n) }),
    leaf('a device that knows no entry after its own', 'valid', { data: list.leaf(2, { listNumber: 2 }), keeps: ['device-certificate'] }),
    leaf('a revoked device', 'device-certificate-current', { ...gone, ...laptop, data: ended.leaf(3) }),
    leaf('a replaced certificate after a week', 'device-certificate-current', { ...replaced, now: Number(NOW + 7n * DAY + 1n) }),
  ]
}
