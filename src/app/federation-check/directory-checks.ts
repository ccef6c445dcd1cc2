import { differingOutside, endpointsOf, readDirectory, type ReadDirectory } from '../../federation/identity/directory-document.js'
import { isSignedBy } from '../../federation/identity/directory-signatures.js'
import { ENDPOINTS, expand, haveCommonProfile, PROFILES } from '../../federation/identity/endpoints.js'
import type { PeerHttp } from '../../federation/outbound/peer-http.js'
import { ed25519Key } from '../../protocol/signature-key.js'
import { fail, pass, skip, warn, type Check } from './check.js'

type Read = Extract<ReadDirectory, { kind: 'read' }>

/** Without these nobody can chat with a provider. */
const NEEDED = [
  'keyMaterial',
  'update',
  'notify',
  'submitMessage',
  'log',
  'deleteRoom',
  'operation',
  'room',
  'directory',
  'identifierQuery',
]
const MAX_VALID_SECONDS = 30 * 86_400
const AHEAD_SECONDS = 300
const LATER = ['directory-form', 'directory-domain', 'directory-possession', 'directory-times', 'profile', 'endpoints', 'directory-outside']

/** @param base where the directory is. @returns the directory, too, if it can be read and its keys have signed it */
export async function examineDirectory(domain: string, base: string, http: PeerHttp): Promise<{ checks: Check[]; read: Read | undefined }> {
  const url = `${base}/.well-known/mimi-protocol-directory`
  const outcome = await http.send({ method: 'GET', url, headers: { accept: 'application/json' } })
  const none = (names: readonly string[]) => names.map((name) => skip(name, 'There is no directory to look at.'))
  if (outcome.kind !== 'answered') {
    const why =
      outcome.kind === 'redirected'
        ? 'It redirects, and servers follow no redirect: show the directory itself there.'
        : `It cannot be fetched (${outcome.kind}: ${outcome.detail}).`
    return { checks: [fail('directory-fetched', why), ...none(LATER)], read: undefined }
  }
  if (outcome.status !== 200)
    return {
      checks: [
        fail(
          'directory-fetched',
          `The web server answers ${outcome.status}. Let the proxy hand on /.well-known/mimi-protocol-directory; FEDERATION may be off.`,
        ),
        ...none(LATER),
      ],
      read: undefined,
    }
  const fetched = pass('directory-fetched', 'The directory is shown at the domain.')
  const read = readDirectory(outcome.body)
  if (read.kind === 'malformed')
    return { checks: [fetched, fail('directory-form', `It cannot be read: ${read.why}.`), ...none(LATER.slice(1))], read: undefined }
  const possession = examinePossession(read)
  const checks = [
    fetched,
    pass('directory-form', 'It has the form of the profile.'),
    ofDomain(read, domain),
    possession,
    examineTimes(read),
    examineProfile(read),
    examineEndpoints(read),
    examineOutside(read),
  ]
  return { checks, read: possession.verdict === 'pass' ? read : undefined }
}

function ofDomain({ directory }: Read, domain: string): Check {
  const name = 'directory-domain'
  return directory.domain === domain
    ? pass(name, 'It is of this domain.')
    : fail(name, 'It is of another domain: DOMAIN there, or the way there, is wrong.')
}

function examinePossession({ signed, directory }: Read): Check {
  const name = 'directory-possession'
  const keys = directory.keys.map(({ kid, x }) => ({ kid, raw: Buffer.from(x, 'base64url') }))
  const silent = keys.filter(({ kid, raw }) => !isSignedBy(signed, kid, ed25519Key(raw)))
  if (silent.length > 0)
    return fail(
      name,
      `${silent.length} of ${keys.length} keys have not signed it. Each key that it names has to, by alg EdDSA or Ed25519, with kid and typ mimi-key-directory.`,
    )
  const different = new Set(keys.map(({ raw }) => raw.toString('hex'))).size
  return different < keys.length
    ? fail(name, 'Two of its keys are the same.')
    : pass(name, `${keys.length === 1 ? 'Its key has' : `Each of its ${keys.length} keys has`} signed it.`)
}

function examineTimes({ directory: { issued_at: issued, expires_at: expires } }: Read): Check {
  const [name, now] = ['directory-times', Date.now() / 1000]
  if (issued > now + AHEAD_SECONDS) return fail(name, 'It was issued in the future: look at the clock there, and here.')
  if (expires <= now) return fail(name, 'It has expired: it is shown from a cache, or not signed again.')
  if (expires - issued > MAX_VALID_SECONDS) return fail(name, 'It is valid for more than 30 days.')
  const hours = Math.floor((expires - now) / 3_600)
  return hours < 48
    ? warn(name, `It is valid for ${hours} hours more: an outage of its web server may last no longer.`)
    : pass(name, `It is valid for ${hours} hours more.`)
}

function examineProfile({ directory: { profiles, features = [] } }: Read): Check {
  if (!haveCommonProfile(profiles)) return fail('profile', `It speaks none of ${PROFILES.join(', ')}.`)
  return pass('profile', `A profile is common; it names ${features.length} features.`)
}

function examineEndpoints({ directory }: Read): Check {
  const templates = endpointsOf(directory)
  const isUsable = (name: string) => {
    const url = expand(templates[name] ?? '', 'x')
    return url !== undefined && URL.canParse(url)
  }
  const missing = NEEDED.filter((name) => !isUsable(name))
  if (missing.length > 0) return fail('endpoints', `These have no template of level 1 with one variable: ${missing.join(', ')}.`)
  const optional = Object.keys(ENDPOINTS).filter((name) => !isUsable(name))
  return pass(
    'endpoints',
    optional.length === 0 ? 'All have a template.' : `All that are needed have a template; not there: ${optional.join(', ')}.`,
  )
}

function examineOutside(read: Read): Check {
  const names = differingOutside(read)
  if (names.length === 0) return pass('directory-outside', 'Nothing beside the signed part says anything else.')
  return fail(
    'directory-outside',
    `Beside the signed part other values stand for ${names.join(', ')}: something changes the directory, or it was not signed again.`,
  )
}
