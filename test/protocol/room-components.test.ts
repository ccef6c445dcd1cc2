import { describe, expect, it } from '@jest/globals'
import { TlsWriter } from '../../src/protocol/tls/writer.js'
import type { ValidCommit } from '../../src/protocol/public-group/commit.js'
import { Forge } from '../support/mls/forge.js'
import { byValue, proposals } from '../support/mls/proposals.js'
import { appDataDictionary, judgeCommit, judgeProposal, requiredCapabilities, withAppData } from './negative/forged-group-fixture.js'

function nextOf(verdict: unknown): ValidCommit['next'] {
  expect(verdict).toMatchObject({ kind: 'valid' })
  return (verdict as ValidCommit).next
}

describe('application data (draft-ietf-mls-extensions)', () => {
  it('of a room is what the updates of its components make of it (draft-ietf-mimi-protocol-06)', async () => {
    const dictionary = (list: Uint8Array, metadata: Uint8Array) => ({
      type: 6,
      data: new TlsWriter()
        .vector([[0x22, list] as const, [0x23, metadata] as const], (item, [id, data]) => item.uint16(id).opaque(data))
        .written(),
    })
    const participants = (...users: [string, number][]) =>
      new TlsWriter().vector(users, (item, [user, role]) => item.opaque(Buffer.from(user)).uint32(role)).written()
    const metadata = (name: string) => {
      const texts = (writer: TlsWriter, ...of: string[]) => of.reduce((all, text) => all.opaque(Buffer.from(text)), writer)
      return texts(
        texts(new TlsWriter(), 'mimi://a.example/r/x', name).vector([], (item) => item),
        '',
        '',
        '',
      ).written()
    }
    const change = new TlsWriter()
      .vector([[1, 9] as const], (item, [index, role]) => item.uint32(index).uint32(role))
      .vector([0], (item, index) => item.uint32(index))
      .raw(participants(['mimi://a.example/u/d', 4]))
      .written()
    const list = participants(['mimi://a.example/u/a', 1], ['mimi://a.example/u/b', 2], ['mimi://a.example/u/c', 3])
    const forge = await Forge.group(3, [requiredCapabilities({ proposals: [8] }), dictionary(list, metadata('old'))], withAppData)
    const items = [proposals.appDataUpdate(0x22, change), proposals.appDataUpdate(0x23, metadata('new'))].map(byValue)
    const next = nextOf(await judgeCommit(forge, items, { path: null }))
    const after = participants(['mimi://a.example/u/b', 9], ['mimi://a.example/u/c', 3], ['mimi://a.example/u/d', 4])
    expect(next.groupContext.extensions).toContainEqual({ type: 6, data: new Uint8Array(dictionary(after, metadata('new')).data) })
    // No user twice, and nobody who is not there.
    const wrong = [
      [[], [0, 0], []],
      [[[0, 9]], [0], []],
      [[], [3], []],
      [[], [], [['mimi://a.example/u/a', 1]]],
      [[], [0], [['mimi://a.example/u/a', 1]]],
    ] as [[number, number][], number[], [string, number][]][]
    for (const [changed, removed, added] of wrong) {
      const update = new TlsWriter()
        .vector(changed, (item, [index, role]) => item.uint32(index).uint32(role))
        .vector(removed, (item, index) => item.uint32(index))
        .raw(participants(...added))
      expect(await judgeProposal(forge, proposals.appDataUpdate(0x22, update.written()))).toMatchObject({ rule: 'app-data-update-fits' })
    }
    // The first update of a list that is empty, and one that does not fit.
    const other = await Forge.group(3, [appDataDictionary(7)], withAppData)
    nextOf(await judgeCommit(other, [byValue(proposals.appDataUpdate(0x23, metadata('first')))], { path: null }))
    expect(await judgeProposal(other, proposals.appDataUpdate(0x22, change))).toMatchObject({ rule: 'app-data-update-fits' })
  })

  it('grows by updates to 64 KiB at most: each Commit afterwards would carry it', async () => {
    const adding = (user: string) => {
      const none = (writer: TlsWriter) => writer.vector([], (item) => item)
      const users = none(none(new TlsWriter())).vector([user], (item, name) => item.opaque(Buffer.from(name)).uint32(1))
      return byValue(proposals.appDataUpdate(0x22, users.written()))
    }
    const judge = async (...lengths: number[]) => {
      const forge = await Forge.group(3, [requiredCapabilities({ proposals: [8] }), listOf(lengths[0]!)], withAppData)
      return judgeCommit(forge, [adding('b'.repeat(lengths[1]!))], { path: null })
    }
    // A user of the list is its name behind two or four bytes of length, and a role of four bytes; the list has four of length.
    expect(await judge(32_000, 33_500)).toMatchObject({ kind: 'valid' })
    expect(await judge(32_000, 33_536)).toMatchObject({ rule: 'app-data-update-fits' })
    // Nor does one count where there is too much already.
    expect(await judge(65_536, 1)).toMatchObject({ rule: 'app-data-update-fits' })
  })
})

/** A dictionary with a participant list of one user, whose name has as many bytes. */
function listOf(length: number) {
  const list = new TlsWriter().vector(['a'.repeat(length)], (item, name) => item.opaque(Buffer.from(name)).uint32(1)).written()
  return { type: 6, data: new TlsWriter().vector([list], (item, data) => item.uint16(0x22).opaque(data)).written() }
}
