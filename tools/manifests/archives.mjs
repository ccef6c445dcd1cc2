import { gunzipSync, inflateRawSync } from 'node:zlib'

/** One file out of a gzipped tar, as npm packs them (ustar, plain files). */
export function fileOfTarball(gzipped, name) {
  const tar = gunzipSync(gzipped)
  for (let at = 0; at + 512 <= tar.length;) {
    const [found, size] = [text(tar, at, 100), Number.parseInt(text(tar, at + 124, 12), 8) || 0]
    if (found === name) return tar.subarray(at + 512, at + 512 + size)
    at += 512 + Math.ceil(size / 512) * 512
  }
  throw new Error(`The tarball has no ${name}`)
}

const END_OF_DIRECTORY = 0x06054b50
const STORED = 0
const DEFLATED = 8

/** One file out of a zip archive (without zip64, encryption, or a comment at its end). */
export function fileOfZip(zip, name) {
  const end = zip.length - 22
  if (end < 0 || zip.readUInt32LE(end) !== END_OF_DIRECTORY) throw new Error('This is not a zip archive')
  let at = zip.readUInt32LE(end + 16)
  for (let entries = zip.readUInt16LE(end + 10); entries > 0; entries--) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset))
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) return contentOf(zip, at)
    at += 46 + nameLength + extraLength + commentLength
  }
  throw new Error(`The zip archive has no ${name}`)
}

/** @param at where the file's entry in the directory begins */
function contentOf(zip, at) {
  const [method, size, local] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 42)]
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
  const content = zip.subarray(start, start + size)
  if (method === DEFLATED) return inflateRawSync(content)
  if (method === STORED) return content
  throw new Error(`The zip archive uses compression method ${method}`)
}

function text(buffer, start, length) {
  return buffer.toString('utf8', start, start + length).replace(/\0.*$/s, '')
}
