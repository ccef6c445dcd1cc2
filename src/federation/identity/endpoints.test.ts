import { describe, expect, it } from '@jest/globals'
import { expand } from './endpoints.js'

const BASE = 'https://b.example/mimi/v1/room'

describe('a template of level 1 with one expression (RFC 6570 §1.2)', () => {
  it.each([
    ['{roomId}', 'mimi%3A%2F%2Fb.example%2Fr%2Fclub'],
    ['{room_id}', 'mimi%3A%2F%2Fb.example%2Fr%2Fclub'],
    ['{room.2}', 'mimi%3A%2F%2Fb.example%2Fr%2Fclub'],
    ['{%41}/x', 'mimi%3A%2F%2Fb.example%2Fr%2Fclub/x'],
  ])('%s is expanded', (expression, value) => {
    expect(expand(`${BASE}/${expression}`, 'mimi://b.example/r/club')).toBe(`${BASE}/${value}`)
  })

  it('has all but unreserved characters encoded (RFC 6570 §3.2.1)', () => {
    expect(expand(`${BASE}/{a}`, "-._~!'()*$&é")).toBe(`${BASE}/-._~%21%27%28%29%2A%24%26%C3%A9`)
  })

  it.each([
    '{+a}',
    '{#a}',
    '{?a}',
    '{&a}',
    '{/a}',
    '{a:3}',
    '{a*}',
    '{a,b}',
    '{a}{b}',
    '{a}/{a}',
    'none',
    '{',
    '{}',
    '{a}}',
    '{a.}',
    '{.a}',
  ])('%s is not', (expression) => {
    expect(expand(`${BASE}/${expression}`, 'x')).toBeUndefined()
  })
})
