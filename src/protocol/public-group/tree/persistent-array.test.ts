import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { PersistentArray } from './persistent-array.js'

const change = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(), item: fc.option(fc.nat(), { nil: undefined }) }),
  fc.record({ kind: fc.constant('resize' as const), length: fc.nat(200) }),
)

it('is an array, and no change of a copy shows in the original', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 150 }), fc.array(change, { maxLength: 20 }), (items, changes) => {
      const original = PersistentArray.of<number>(items)
      const edit = original.edit()
      const model: (number | undefined)[] = [...items]
      for (const step of changes) {
        if (step.kind === 'resize') {
          edit.resize(step.length)
          model.length = step.length
        } else if (model.length > 0) {
          edit.set(step.at % model.length, step.item)
          model[step.at % model.length] = step.item
        }
      }
      expect(edit.done().toArray()).toEqual(Array.from(model))
      expect(original.toArray()).toEqual(items)
    }),
  )
})
