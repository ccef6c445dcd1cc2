import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { ROOT } from './shell-blocks.js'

const read = (path: string) => readFileSync(path, 'utf8')
const inFolder = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(ROOT, folder, name))
const PAGES = ['.', 'docs', 'docs/adr', 'k8s', 'examples/client'].flatMap(inFolder)

const withoutCode = (markdown: string) => markdown.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '')

/** The names by which headings of a page are linked, as GitHub makes them. */
function anchorsOf(path: string): Set<string> {
  const headings = [
    ...read(path)
      .replaceAll(/^```[\s\S]*?^```$/gm, '')
      .matchAll(/^#+ (.*)$/gm),
  ].map(([, text = '']) => text)
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/** What links of a page lead to nothing. */
function brokenLinks(page: string): string[] {
  const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  return links
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      return !existsSync(file) || (anchor !== undefined && !anchorsOf(file).has(anchor))
    })
}

describe('the pages', () => {
  it.each(PAGES.map((page) => relative(ROOT, page)))('%s: links lead to files and headings that exist', (page) => {
    expect(brokenLinks(join(ROOT, page))).toEqual([])
  })

  it('name files and folders of the sources that exist', () => {
    const named = PAGES.flatMap((page) =>
      [...read(page).matchAll(/`((?:src|prisma|test|tools|bench)\/[\w./-]+)`/g)].map(([, path = '']) => path),
    )
    expect(named.length).toBeGreaterThan(40)
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })

  it('say, in the threat model, what every table of the database tells', () => {
    const schema = read(join(ROOT, 'prisma/schema.sql'))
    const tables = [...schema.matchAll(/^CREATE TABLE (\w+) \(/gm)].map(([, name = '']) => name)
    const page = read(join(ROOT, 'docs/threat-model.md'))
    expect(tables.length).toBeGreaterThan(40)
    expect(tables.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  })

  it('have, in the operator’s guide, every chapter in the list of contents', () => {
    const guide = read(join(ROOT, 'docs/operator-guide.md'))
    const chapters = [...guide.matchAll(/^## (.*)$/gm)].map(([, title = '']) => title)
    const contents = guide.slice(0, guide.indexOf('\n## '))
    expect(chapters.length).toBeGreaterThan(15)
    expect(chapters.filter((title) => !contents.includes(`](#${title.toLowerCase().replaceAll(' ', '-')})`))).toEqual([])
  })

  it('ask for one version of Compose, which knows `up --wait`', () => {
    const texts = [...PAGES, join(ROOT, 'docker-compose.yml')].map(read).join('\n')
    expect(texts).not.toMatch(/\b1\.29\b/)
    const versions = new Set([...texts.matchAll(/Compose (\d+(?:\.\d+)*) or newer/g)].map(([, version]) => version))
    expect(versions).toEqual(new Set(['2.1.1']))
  })

  it('send readers of the Compose commands to the address that the proxy publishes', () => {
    const compose = read(join(ROOT, 'docker-compose.yml'))
    expect(compose).toMatch(/HTTPS_PORT:-443\}:443$/m)
    expect(read(join(ROOT, 'README.md'))).toContain('with Compose <https://localhost/docs>')
  })
})
