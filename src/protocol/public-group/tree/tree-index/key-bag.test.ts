import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { KeyBag } from './key-bag.js'

const key = fc.uint8Array({ maxLength: 3 })
const step = fc.tuple(fc.boolean(), key)

it('counts keys, and no change of a copy shows in the original', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.array(step, { maxLength: 60 }), (first, second) => {
      const model = new Map<string, number>()
      const apply = (bag: KeyBag, steps: typeof first): KeyBag => {
        const edit = bag.edit()
        for (const [adds, bytes] of steps) {
          const name = bytes.join()
          if (adds) edit.add(bytes)
          else edit.remove(bytes)
          model.set(name, Math.max(0, (model.get(name) ?? 0) + (adds ? 1 : -1)))
          expect(edit.count(bytes)).toBe(model.get(name))
        }
        return edit.done()
      }
      const all = [...first, ...second].map(([, bytes]) => bytes)
      const before = apply(KeyBag.empty, first)
      const counts = all.map((bytes) => before.count(bytes))
      const after = apply(before, second)
      expect(all.map((bytes) => before.count(bytes))).toEqual(counts)
      expect(all.map((bytes) => after.count(bytes))).toEqual(all.map((bytes) => model.get(bytes.join())))
      expect(all.every((bytes) => KeyBag.empty.count(bytes) === 0)).toBe(true)
    }),
  )
})
