import { toBase64url, fromBase64url } from '../../src/platform/http/bytes.js'
import { checkHead } from '../../src/protocol/identity/head.js'
import type { DeviceList } from '../../src/protocol/identity/device-list.js'
import { extendList } from '../../src/protocol/identity/list.js'
import type { DeviceCertificate } from '../../src/protocol/identity/entry.js'
import { newName, TestDevice, Http, typeOf, type Answer } from '../authentication/device-fixture.js'
import { ListMaker, privateKey, seconds, type Holder } from '../support/mls/device-lists.js'

export interface Update {
  entries: string[]
  head: string
}

/** The answer's problem with the rule that it names, or that there is none. */
export function refusalOf(answer: Answer): string {
  const { rule } = answer.body as { rule?: string }
  return rule ?? typeOf(answer)
}

/** An account with a device list, as its first device has it. */
export class ListedAccount {
  constructor(
    readonly phone: TestDevice,
    readonly list: ListMaker,
    /** What signs for the phone. */
    readonly holder: Holder,
  ) {}

  /** Not registered yet: entries 1 and 2 are made. @param time of the entries, in seconds */
  static async prepared(url: string, name = newName(), { device = 'phone', time = seconds() } = {}): Promise<ListedAccount> {
    return ListedAccount.of(new TestDevice(new Http(url), name, device), time)
  }

  static async of(phone: TestDevice, time = seconds()): Promise<ListedAccount> {
    const list = await ListMaker.begin(phone.user, privateKey(), time)
    return new ListedAccount(phone, list, await list.certify(list.root, phone.client, phone.key.privateKey))
  }

  static async registered(url: string, name = newName()): Promise<ListedAccount> {
    const account = await ListedAccount.prepared(url, name)
    const answer = await account.register()
    if (answer.status !== 201) throw new Error(`Registering gave ${answer.status} ${JSON.stringify(answer.body)}`)
    return account
  }

  async register(more: object = {}): Promise<Answer> {
    return this.phone.register({ device_list: await this.update(1), ...more })
  }

  /** All entries from number `from` on, with a head. */
  async update(from: number, head?: Uint8Array): Promise<Update> {
    return {
      entries: this.list.entries.slice(from - 1).map(toBase64url),
      head: toBase64url(head ?? (await this.list.head(this.holder))),
    }
  }

  /** Sends the entries from number `from` on. */
  async append(from: number, by = this.phone): Promise<Answer> {
    return by.call('POST', '/v1/device-list', await this.update(from))
  }

  /** Certifies a new device, adds it, and logs it in. */
  async addDevice(name: string, wish: Partial<DeviceCertificate> = {}): Promise<{ device: TestDevice; holder: Holder }> {
    const device = new TestDevice(this.phone.http, this.phone.name, name)
    const holder = await this.list.certify(this.holder, device.client, device.key.privateKey, wish)
    const answer = await this.add(device)
    if (answer.status !== 201) throw new Error(`Adding gave ${answer.status} ${JSON.stringify(answer.body)}`)
    await device.login()
    return { device, holder }
  }

  /** Sends the last entry as the certificate of this device. */
  async add(device: TestDevice): Promise<Answer> {
    return this.phone.call('POST', '/v1/devices', { ...(await device.proofs()), device_list: await this.update(this.list.number) })
  }

  /** What anybody sees of the list, verified. */
  async seen(by = this.phone, from = 1): Promise<{ list: DeviceList; identities: number; number: number; entries: Uint8Array[] }> {
    return seenList(await readList(by, this.phone.user, from), this.phone.user)
  }
}

export function readList(by: TestDevice, user: string, from = 1): Promise<Answer> {
  return by.call('GET', `/v1/device-lists?user=${encodeURIComponent(user)}&from=${from}`)
}

/** @throws if an entry or the head breaks a rule */
export async function seenList(answer: Answer, user: string) {
  const { entries, head, identities, number } = answer.body as unknown as Update & { identities: number; number: number }
  const bytes = entries.map((entry) => fromBase64url(entry)!)
  const list = await extendList(user, undefined, bytes, seconds())
  if (list.kind === 'broken') throw new Error(`The list breaks ${list.rule}`)
  const checked = await checkHead(list.value, fromBase64url(head)!, seconds())
  if (checked.kind === 'broken') throw new Error(`The head breaks ${checked.rule}`)
  return { list: list.value, identities, number, entries: bytes }
}
