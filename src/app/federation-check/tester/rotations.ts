import type { SignedKeyDirectory } from '../../../federation/identity/directory-document.js'
import { fail, pass, skip, type Check } from '../check.js'
import { signDraft } from '../draft-request.js'
import { deliver, emptyQuery, problemOf, type Exchange } from '../exchange.js'
import { testerKey, type TesterKey, type TesterProvider } from './tester-provider.js'

export const ROTATION_CHECKS = [
  'follows-rotation',
  'refuses-takeover',
  'refuses-unproven-key',
  'refuses-unsigned-directory',
  'refuses-older-directory',
  'drops-withdrawn-key',
  'refuses-returning-key',
] as const

interface Turn {
  readonly name: (typeof ROTATION_CHECKS)[number]
  /** What the tester shows. */
  readonly show: (provider: TesterProvider) => void
  /** By which key it asks then, and whether that has to be taken. */
  readonly by: TesterKey
  readonly isTaken: boolean
  readonly text: string
}

type Signatures = SignedKeyDirectory['signatures']

/** In this order: each begins with the keys that the one before has left. @param first that the peer knows */
function turnsOf(first: TesterKey): readonly Turn[] {
  const [second, stranger] = [testerKey('k2'), testerKey('k3')]
  const three = [first, second, stranger]
  const gone = { ...first, listed: false }
  const old = Math.floor(Date.now() / 1000) - 3_600
  const changed = (change: (all: Signatures) => Signatures) => ({
    change: (signed: SignedKeyDirectory) => ({ ...signed, signatures: change(signed.signatures) }),
  })
  const twoOfThree = changed((all) => all.slice(0, 2))
  const none = changed((all) => all.map((one) => ({ ...one, signature: 'AAAA' })))
  return [
    taken('follows-rotation', (p) => p.show([first, second]), second, 'a new key that an old one vouches for'),
    refused('refuses-takeover', (p) => p.show([stranger]), stranger, 'a directory that no known key has signed'),
    refused('refuses-unproven-key', (p) => p.show(three, twoOfThree), stranger, 'a key that has not signed the directory in which it is'),
    refused('refuses-unsigned-directory', (p) => p.show(three, none), stranger, 'a directory that nobody has signed'),
    refused('refuses-older-directory', (p) => p.show(three, { issued: old }), stranger, 'a directory that is older than the known one'),
    refused('drops-withdrawn-key', (p) => p.show([second, gone]), first, 'a key that has gone from the directory'),
    refused('refuses-returning-key', (p) => p.show([second, first]), first, 'a key that had gone and is named again'),
  ]
}

function taken(name: Turn['name'], show: Turn['show'], by: TesterKey, text: string): Turn {
  return { name, show, by, isTaken: true, text }
}

function refused(name: Turn['name'], show: Turn['show'], by: TesterKey, text: string): Turn {
  return { name, show, by, isTaken: false, text }
}

/**
 * Whether the peer follows the directory of a provider as the page says. Afterwards it is alarmed about the tester's domain.
 * @param wait until the peer looks at the directory again for a key id that it does not know
 */
export async function examineRotations(
  exchange: Exchange,
  provider: TesterProvider,
  first: TesterKey,
  wait: () => Promise<void>,
): Promise<Check[]> {
  const checks: Check[] = []
  for (const { name, show, by, isTaken, text } of turnsOf(first)) {
    show(provider)
    await wait()
    // Before the key that is asked about: a peer that looks again only for this one may have the old copy for that.
    if (!isTaken) await ask(exchange, testerKey('unknown'))
    checks.push(judge(name, await ask(exchange, by), isTaken, text))
  }
  return checks
}

type Told = { kind: 'taken' } | { kind: 'refused'; as: string } | { kind: 'unanswered' }

async function ask(exchange: Exchange, { keyId, privateKey }: TesterKey): Promise<Told> {
  const outcome = await deliver(exchange, signDraft(emptyQuery({ ...exchange, keyId, privateKey })))
  if (outcome.kind !== 'answered') return { kind: 'unanswered' }
  return outcome.status === 200 ? { kind: 'taken' } : { kind: 'refused', as: problemOf(outcome) ?? String(outcome.status) }
}

function judge(name: string, told: Told, isTaken: boolean, text: string): Check {
  if (told.kind === 'unanswered') return skip(name, 'There is no answer.')
  if (told.kind === 'taken') return isTaken ? pass(name, `It believes ${text}.`) : fail(name, `It believes ${text}.`)
  if (told.as === 'rate-limited') return skip(name, 'The peer was asked too often.')
  if (isTaken) return fail(name, `It refuses ${text}: ${told.as}.`)
  return told.as === 'key-unknown'
    ? pass(name, `It does not believe ${text}.`)
    : fail(name, `It refuses ${text} as ${told.as}, not as key-unknown.`)
}
