import { expect, test } from '@jest/globals'
import { applyRoleSettings } from './role-settings.js'
import type { Sql } from './sql.js'

// The role belongs to the whole test cluster: changing it for real would disturb other files. sql.test.ts sees the real effect.
async function statementsFor(present: string[] | null): Promise<string[]> {
  const texts: string[] = []
  const query = (text: string): Promise<unknown> => {
    texts.push(text)
    return Promise.resolve({ rows: [{ present }] })
  }
  await applyRoleSettings({ query } as unknown as Sql)
  return texts.slice(1)
}

test('a new role gets every setting', async () => {
  expect(await statementsFor(null)).toEqual([
    `ALTER ROLE CURRENT_USER SET plan_cache_mode = 'force_generic_plan'`,
    `ALTER ROLE CURRENT_USER SET jit = 'off'`,
    `ALTER ROLE CURRENT_USER SET lock_timeout = '2s'`,
    `ALTER ROLE CURRENT_USER SET statement_timeout = '10s'`,
    `ALTER ROLE CURRENT_USER SET idle_in_transaction_session_timeout = '5s'`,
  ])
})

test('what an operator has set on the role stays', async () => {
  const statements = await statementsFor(['jit=on', 'lock_timeout=7s', 'plan_cache_mode=auto', 'statement_timeout=1min'])
  expect(statements).toEqual([`ALTER ROLE CURRENT_USER SET idle_in_transaction_session_timeout = '5s'`])
})
