import { describe, expect, it } from '@jest/globals'
import type { QueryElement } from '../../protocol/mimi/identifier-query.js'
import { elementOf, matchQuery } from './match-query.js'

const ALICE = { kind: 'user', uri: 'mimi://a.example/u/alice' }
const element = (type: QueryElement['type'], value: string): QueryElement => ({ type, field: undefined, value })

describe('an identifier query', () => {
  it.each<[string, QueryElement[], object]>([
    ['a URI', [element('handle', 'mimi://a.example/u/alice')], ALICE],
    ['a name with its domain', [element('handle', 'alice@a.example')], ALICE],
    ['an im URI', [element('handle', 'im:alice@a.example')], ALICE],
    ['a nick', [element('nick', 'alice')], ALICE],
    ['a handle and the nick of it', [element('handle', 'alice@a.example'), element('nick', 'alice')], ALICE],
    ['a handle and the nick of another', [element('handle', 'alice@a.example'), element('nick', 'bob')], { kind: 'nobody' }],
    ['a nick and no handle', [element('nick', 'alice'), element('handle', 'alice')], { kind: 'nobody' }],
    ['a name without a domain as a handle', [element('handle', 'alice')], { kind: 'nobody' }],
    ['a handle as a nick', [element('nick', 'alice@a.example')], { kind: 'nobody' }],
    ['a handle of another provider', [element('handle', 'alice@b.example')], { kind: 'nobody' }],
    ['a URI of another provider', [element('handle', 'mimi://b.example/u/alice')], { kind: 'nobody' }],
    ['another spelling', [element('handle', 'Alice@a.example')], { kind: 'nobody' }],
    ['a client', [element('handle', 'mimi://a.example/d/alice/phone')], { kind: 'nobody' }],
    ['a field that is not known here', [element('nick', 'alice'), element('email', 'alice@a.example')], { kind: 'unsupported-field' }],
    ['part of a name', [element('partial-name', 'alice')], { kind: 'unsupported-field' }],
    ['nothing', [], { kind: 'ambiguous' }],
  ])('for %s', (_what, elements, matched) => {
    expect(matchQuery(elements, 'a.example')).toEqual(matched)
  })

  it('is for a nick if it is a bare name, else for a handle', () => {
    expect(['alice', 'alice@a.example', 'mimi://a.example/u/alice'].map((text) => elementOf(text).type)).toEqual([
      'nick',
      'handle',
      'handle',
    ])
  })
})
