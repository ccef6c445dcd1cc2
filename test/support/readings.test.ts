import { describe, expect, it } from '@jest/globals'
import { faultsOf, type Reading } from './readings.js'

const message = (seq: number, text = `message ${seq}`) => ({ seq, from: 'alice', text })
const whole = [3, 4, 6, 7].map((seq) => message(seq))
const reading = (client: string, changed: Partial<Reading> = {}): Reading => ({ client, after: 2, until: 7, messages: whole, ...changed })

describe('the checker of readings', () => {
  it('finds nothing where all have read all of their stays', () => {
    const late = reading('late', { after: 5, messages: whole.slice(2) })
    const gone = reading('gone', { until: 4, messages: whole.slice(0, 2) })
    expect(faultsOf([reading('one'), reading('other'), late, gone], [1, 3, 4, 6, 7])).toEqual([])
  })

  it.each<[string, Partial<Reading>, string]>([
    ['is missing', { messages: [message(3), message(6), message(7)] }, 'bob has not read 4'],
    ['is missing at the end', { messages: whole.slice(0, 3) }, 'bob has not read 7'],
    ['is doubled', { messages: [message(3), message(4), message(4), message(6), message(7)] }, 'bob has read 4 twice'],
    ['is swapped', { messages: [message(4), message(3), message(6), message(7)] }, 'bob has read 3 after what came later'],
    ['is another', { messages: [message(3), message(4, 'else'), message(6), message(7)] }, 'bob has read another message at 4 than others'],
    ['is of a time before', { after: 3 }, 'bob has read 3, which is not of its stay (4 to 7)'],
    ['is of a time after', { until: 6 }, 'bob has read 7, which is not of its stay (3 to 6)'],
  ])('finds one that %s', (_what, changed, fault) => {
    expect(faultsOf([reading('alice'), reading('bob', changed)])).toEqual([fault])
  })

  it('finds one that nobody has read, by the log', () => {
    expect(faultsOf([reading('alice')], [3, 4, 5, 6, 7])).toEqual(['alice has not read 5'])
  })
})
