import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'
import { z } from 'zod'
import { ClientFrame, CloseCode, EntryFrame, InboxFrame, ServerFrame } from '../../src/protocol/frames.js'

interface ObjectSchema {
  required: string[]
  properties: Record<string, { const?: string; enum?: string[] }>
  additionalProperties: boolean
}
interface Document {
  info: { description: string }
  channels: { stream: { messages: Record<string, unknown> } }
  operations: Record<string, { action: string; messages: { $ref: string }[] }>
  components: { messages: Record<string, { payload: ObjectSchema | { oneOf: ObjectSchema[] } }>; schemas: Record<string, ObjectSchema> }
}
const document = parse(readFileSync(new URL('../../docs/asyncapi.yaml', import.meta.url), 'utf8')) as Document

/** The members of frames.ts's unions: `t`, for inbox frames also `kind`, and the keys that each takes. */
function membersOf(union: z.ZodType): { t: string; kind: string | undefined; keys: string[]; optional: string[] }[] {
  if (union instanceof z.ZodUnion) return union.options.flatMap((option) => membersOf(option as z.ZodType))
  if (!(union instanceof z.ZodObject)) throw new Error('a frame is an object')
  const shape = union.shape as Record<string, z.ZodType>
  const literal = (key: string) => (shape[key] instanceof z.ZodLiteral ? String(shape[key].value) : undefined)
  const optional = Object.keys(shape).filter((key) => shape[key]!.safeParse(undefined).success)
  return [{ t: literal('t') ?? '', kind: literal('kind'), keys: Object.keys(shape).sort(), optional }]
}

/** Clients send what is described and nothing else; the server may add keys within /v1 (docs/versioning.md). */
function documented(names: string[], from: 'client' | 'server') {
  return names.flatMap((name) => {
    const { payload } = document.components.messages[name]!
    return ('oneOf' in payload ? payload.oneOf : [payload]).map((schema) => {
      expect(schema.additionalProperties).toBe(from === 'server')
      const keys = Object.keys(schema.properties).sort()
      const optional = keys.filter((key) => !schema.required.includes(key))
      expect(schema.properties['t']?.const).toBe(name)
      return { t: name, kind: schema.properties['kind']?.const, keys, optional }
    })
  })
}
const named = (action: string) =>
  Object.values(document.operations)
    .filter((operation) => operation.action === action)
    .flatMap((operation) => operation.messages.map(({ $ref }) => $ref.split('/').at(-1)!))
const byName = (a: { t: string; kind: string | undefined }, b: typeof a) => `${a.t} ${a.kind}`.localeCompare(`${b.t} ${b.kind}`)

describe('docs/asyncapi.yaml', () => {
  it('describes every frame that the server sends, key by key, and no other', () => {
    expect(documented(named('send'), 'server').sort(byName)).toEqual(membersOf(ServerFrame).sort(byName))
    expect(membersOf(InboxFrame)).toHaveLength(13)
  })

  it('describes every frame that a client may send, key by key, and no other', () => {
    expect(documented(named('receive'), 'client').sort(byName)).toEqual(membersOf(ClientFrame).sort(byName))
  })

  it('describes an entry, which is open as it comes from the server, and a position, which is closed', () => {
    const { Entry, Position } = document.components.schemas
    expect([Entry!.additionalProperties, Position!.additionalProperties]).toEqual([true, false])
    expect(Object.keys(Entry!.properties).sort()).toEqual(Object.keys(EntryFrame.shape).sort())
    expect(Entry!.required.toSorted()).toEqual(Object.keys(EntryFrame.shape).sort())
    expect(Entry!.properties['kind']?.enum).toEqual(EntryFrame.shape.kind.options)
  })

  it('names each message on the channel and each close code', () => {
    expect(Object.keys(document.channels.stream.messages).sort()).toEqual([...named('send'), ...named('receive')].sort())
    expect(Object.keys(document.components.messages).sort()).toEqual([...named('send'), ...named('receive')].sort())
    for (const code of Object.values(CloseCode)) expect(document.info.description).toContain(String(code))
  })
})
