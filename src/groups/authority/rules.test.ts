import { describe, expect, it } from '@jest/globals'
import { judgeExternalJoin, judgeRosterChange, removalReason, type Joiner, type RemovalWish, type RosterChange } from './rules.js'
import type { GroupPolicy } from '../policy/policy.js'

const policy = (change: Partial<GroupPolicy> = {}): GroupPolicy => ({
  externalJoin: 'same-user',
  joinCodeHash: null,
  addMembers: 'members',
  removeMembers: 'members',
  reportsToReset: 3,
  identities: 'any',
  version: 1n,
  ...change,
})

describe('who may join by an external Commit', () => {
  const stranger: Joiner = {
    ...{ banned: false, removed: false, present: false, inside: false, vouched: false },
    ...{ lastEnded: null, codeMatches: false },
  }
  const cases: [GroupPolicy['externalJoin'], string, Partial<Joiner>, 'allowed' | 'refused'][] = [
    ['same-user', 'a stranger', {}, 'refused'],
    ['same-user', 'another device of a member, by the server’s word', { present: true }, 'refused'],
    ['same-user', 'another device of a member, which that one has certified', { present: true, vouched: true }, 'allowed'],
    ['same-user', 'a device that a former member has certified', { vouched: true, lastEnded: 'left' }, 'refused'],
    ['same-user', 'a device that has a leaf', { present: true, inside: true }, 'allowed'],
    [
      'same-user',
      'a certified device, another of whose user was removed',
      { present: true, vouched: true, lastEnded: 'removed' },
      'allowed',
    ],
    ['same-user', 'a removed device of a user who has another one in', { removed: true, present: true, lastEnded: 'removed' }, 'refused'],
    ['open', 'the same where joins are open', { removed: true, present: true, lastEnded: 'removed' }, 'refused'],
    ['same-user', 'who left', { lastEnded: 'left' }, 'refused'],
    ['same-user', 'a stranger with a code', { codeMatches: true }, 'refused'],
    ['code', 'a stranger', {}, 'refused'],
    ['code', 'a stranger with the code', { codeMatches: true }, 'allowed'],
    ['code', 'another device of a member, without the code', { present: true }, 'refused'],
    ['code', 'another device of a member, with the code', { present: true, codeMatches: true }, 'allowed'],
    ['code', 'a certified device of a member, without the code', { present: true, vouched: true }, 'allowed'],
    ['code', 'a removed user with the code', { codeMatches: true, lastEnded: 'removed' }, 'refused'],
    ['code', 'who left, with the code', { codeMatches: true, lastEnded: 'left' }, 'allowed'],
    ['code', 'a banned user with the code', { codeMatches: true, banned: true }, 'refused'],
    ['open', 'a stranger', {}, 'allowed'],
    ['open', 'a removed user', { lastEnded: 'removed' }, 'refused'],
    ['open', 'who left', { lastEnded: 'left' }, 'allowed'],
    ['open', 'whose device was revoked', { lastEnded: 'revoked' }, 'allowed'],
    ['open', 'a banned user', { banned: true }, 'refused'],
    ['open', 'a banned user who still has a device in it', { banned: true, present: true }, 'refused'],
    ['none', 'a stranger', {}, 'refused'],
    ['none', 'another device of a member', { present: true }, 'refused'],
  ]
  it.each(cases)('%s: %s', (externalJoin, _who, joiner, verdict) => {
    expect(judgeExternalJoin(policy({ externalJoin }), { ...stranger, ...joiner }).kind).toBe(verdict)
  })
})

describe('what a member may commit', () => {
  const nothing: RosterChange = { by: { userId: 1n, admin: false }, added: [], removed: [], reinit: false }
  const addsOther = { added: [{ userId: 2n, banned: false }] }
  const throwsOut = { removed: [{ userId: 2n, reason: 'removed' }] } as const
  const admin = { by: { userId: 1n, admin: true } }
  const admins = { addMembers: 'admins', removeMembers: 'admins' } as const
  const cases: [string, Partial<GroupPolicy>, Partial<RosterChange>, 'allowed' | 'refused'][] = [
    ['an update by anyone', admins, {}, 'allowed'],
    ['an add where members may', {}, addsOther, 'allowed'],
    ['an add where admins may', admins, addsOther, 'refused'],
    ['an add by an admin', admins, { ...admin, ...addsOther }, 'allowed'],
    ["one's own second device where admins add", admins, { added: [{ userId: 1n, banned: false }] }, 'allowed'],
    ['a banned user, even by an admin', {}, { ...admin, added: [{ userId: 2n, banned: true }] }, 'refused'],
    ['a removal where members may', {}, throwsOut, 'allowed'],
    ['a removal where admins may', admins, throwsOut, 'refused'],
    ['a removal by an admin', admins, { ...admin, ...throwsOut }, 'allowed'],
    ['a removal of an admin where members may', {}, { removed: [{ ...throwsOut.removed[0], admin: true }] }, 'refused'],
    ['a removal of an admin by an admin', {}, { ...admin, removed: [{ ...throwsOut.removed[0], admin: true }] }, 'allowed'],
    ['letting an admin go who asked', admins, { removed: [{ userId: 2n, reason: 'left', admin: true }] }, 'allowed'],
    ['letting a leaver go where admins remove', admins, { removed: [{ userId: 2n, reason: 'left' }] }, 'allowed'],
    ['taking out a revoked device where admins remove', admins, { removed: [{ userId: 2n, reason: 'revoked' }] }, 'allowed'],
    ['an add that an admin proposed', admins, { added: [{ userId: 2n, banned: false, authorized: true }] }, 'allowed'],
    ['a banned user whom an admin proposed', admins, { added: [{ userId: 2n, banned: true, authorized: true }] }, 'refused'],
    ['a removal that an admin proposed', admins, { removed: [{ userId: 2n, reason: 'removed', authorized: true }] }, 'allowed'],
    ['a ReInit by a member', {}, { reinit: true }, 'refused'],
    ['a ReInit by an admin', {}, { ...admin, reinit: true }, 'allowed'],
  ]
  it.each(cases)('%s', (_what, change, roster, verdict) => {
    expect(judgeRosterChange(policy(change), { ...nothing, ...roster }).kind).toBe(verdict)
  })
})

describe('why a device is out', () => {
  const cases: [string, Partial<RemovalWish>, string][] = [
    ['by somebody else', { proposer: 'unseen' }, 'removed'],
    ['proposed by a third one', { proposer: 3n }, 'removed'],
    ['by its own user', { committerUserId: 1n, proposer: 'unseen' }, 'left'],
    ['proposed by its own user', { proposer: 1n }, 'left'],
    ['after it asked to leave', { proposer: 'unseen', pending: 'leave' }, 'left'],
    ['as the server proposed after it asked to leave', { admin: true, proposer: 'server', pending: 'leave' }, 'left'],
    ['by a Remove of an admin, after it asked to leave', { admin: true, pending: 'leave' }, 'removed'],
    ['by a Remove of an admin, after it was revoked', { admin: true, pending: 'revoke' }, 'removed'],
    ['by a Remove of a member, after it asked', { pending: 'leave' }, 'left'],
    ['by a Remove of a member, after it was revoked', { pending: 'revoke' }, 'revoked'],
    ['by a Remove of a member, with nothing pending', {}, 'removed'],
    ['after it was revoked', { committerUserId: 1n, proposer: 'unseen', pending: 'revoke' }, 'revoked'],
    ['as the server proposed after it was revoked', { proposer: 'server', pending: 'revoke' }, 'revoked'],
  ]
  it.each(cases)('%s', (_how, by, reason) => {
    expect(removalReason(1n, { committerUserId: 2n, proposer: 2n, admin: false, pending: undefined, ...by })).toBe(reason)
  })
})
