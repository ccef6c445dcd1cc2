import { describe, expect, it } from '@jest/globals'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { jsonAs, jsonOrCbor, PublicDocument } from './public-document.js'

/** What a handler would set on the reply. */
async function ask(document: PublicDocument, headers: Record<string, string> = {}) {
  const set: Record<string, string> = {}
  let status = 200
  const reply = {
    header: (name: string, value: string) => ((set[name] = value), reply),
    code: (code: number) => ((status = code), reply),
  }
  const body = await document.answer({ headers } as unknown as FastifyRequest, reply as unknown as FastifyReply)
  return { status, headers: set, body }
}

const Shape = z.object({ name: z.string() })

describe('a public document', () => {
  it('is rendered once per representation, until what it says is another object', async () => {
    let rendered = 0
    const counted = { negotiated: true, render: (...args: Parameters<typeof form.render>) => (rendered++, form.render(...args)) }
    const form = jsonOrCbor(Shape)
    let source = { name: 'one' }
    const document = new PublicDocument(counted, 'public', async () => source)
    const answers = await Promise.all([ask(document), ask(document), ask(document, { accept: 'application/cbor' })])
    expect(rendered).toBe(2)
    expect(answers[0].body).toBe(answers[1].body)
    expect([answers[0], answers[2]].map(({ headers }) => headers['content-type'])).toEqual([
      'application/json; charset=utf-8',
      'application/cbor',
    ])
    source = { name: 'two' }
    expect(String((await ask(document)).body)).toBe('{"name":"two"}')
    expect(rendered).toBe(3)
  })

  it('has an ETag of its own for each representation and content, and 304 for clients that have the bytes', async () => {
    const document = new PublicDocument(jsonOrCbor(Shape), 'public, max-age=60', async () => ({ name: 'one' }))
    const [json, cbor] = [await ask(document), await ask(document, { accept: 'application/cbor' })]
    const etag = json.headers['etag'] ?? ''
    expect(etag).toMatch(/^"[\w-]{22}"$/)
    expect(cbor.headers['etag']).not.toBe(etag)
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const { status, body, headers } = await ask(document, { 'if-none-match': known })
      expect([known, status, body, headers['etag'], headers['cache-control']]).toEqual([known, 304, undefined, etag, 'public, max-age=60'])
    }
    for (const other of ['"other"', etag.slice(1, -1), `${cbor.headers['etag']}`])
      expect((await ask(document, { 'if-none-match': other })).status).toBe(200)
  })

  it('of one form takes no notice of Accept', async () => {
    const document = new PublicDocument(jsonAs('application/own'), 'public', async () => ({ name: 'one' }))
    const { headers, body } = await ask(document, { accept: 'application/cbor' })
    expect([headers['content-type'], headers['vary'], String(body)]).toEqual(['application/own', undefined, '{"name":"one"}'])
  })

  it('says nothing of a failure to those who come later', async () => {
    let working = false
    const document = new PublicDocument(jsonAs('application/own'), 'public', async () => {
      if (!working) throw new Error('away')
      return {}
    })
    await expect(ask(document)).rejects.toThrow('away')
    working = true
    expect((await ask(document)).status).toBe(200)
  })
})
