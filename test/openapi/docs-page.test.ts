import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { parse } from 'yaml'
import { describeWithChromium, startChromium } from '../support/chromium.js'
import { startServer, type TestServer } from '../support/server.js'

interface Operation {
  operationId: string
  tags: string[]
  requestBody?: { content: Record<string, { example?: unknown }> }
  responses: Record<string, { content?: Record<string, { example?: unknown }> }>
  security: unknown[]
}
const document = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')) as {
  tags: { name: string }[]
  paths: Record<string, Record<string, Operation>>
}
const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))

describeWithChromium('the pages of the documentation, in Chromium', () => {
  let server: TestServer
  let browser: Browser
  let page: Page
  let complaints: string[] = []
  beforeAll(async () => {
    server = await startServer()
    browser = await startChromium()
    page = await browser.newPage()
    page.setDefaultTimeout(50_000)
    page.on('console', (message) => (message.type() === 'error' || message.type() === 'warning') && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on(
      'request',
      (request) => !request.url().startsWith(server.url) && !/^(data|blob):/.test(request.url()) && complaints.push(request.url()),
    )
    await page.goto(`${server.url}/docs`)
    await page.waitForSelector('.opblock')
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })

  it('have a button to authorize, and tags in the order of the document', async () => {
    expect(await page.locator('.btn.authorize').count()).toBe(1)
    const shown = await page.locator('.opblock-tag').evaluateAll((tags) => tags.map((tag) => tag.getAttribute('data-tag')))
    expect(shown).toEqual(document.tags.map(({ name }) => name))
    expect(await page.locator('.opblock').count()).toBe(operations.length)
  })

  it.each(operations.map((operation) => [operation.operationId, operation] as const))('open %s with its example', async (id, operation) => {
    complaints = []
    const tag = operation.tags[0]?.replaceAll(' ', '_')
    const block = page.locator(`[id="operations-${tag}-${id}"]`)
    await block.locator('.opblock-summary-control').dispatchEvent('click')
    await block.locator('.responses-inner').waitFor({ state: 'attached' })
    const text = (await block.textContent()) ?? ''
    const locks = await block.locator('.authorization__btn').count()
    await block.locator('.opblock-summary-control').dispatchEvent('click')
    expect(text).not.toMatch(/could not render|unknown encoding/i)
    expect(text).not.toContain('-9007199254740991')
    for (const value of examplesOf(operation)) expect(text).toContain(value)
    expect(locks).toBe(operation.security.length > 0 ? 1 : 0)
    expect(complaints).toEqual([])
  })

  it.each(['/', '/docs/stream', '/docs/errors'])('show %s without a complaint', async (path) => {
    complaints = []
    await page.goto(server.url + path)
    expect((await page.locator('main').innerText()).length).toBeGreaterThan(100)
    expect(complaints).toEqual([])
  })
})

/** What of an operation's examples has to be on its page: each text in the request, and in the answer. */
function examplesOf({ requestBody, responses }: Operation): string[] {
  const media = [requestBody, ...Object.values(responses)].flatMap((one) => Object.values(one?.content ?? {}))
  return media.flatMap(({ example }) => textsIn(example))
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}
