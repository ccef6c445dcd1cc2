const REFUSES = Symbol('REFUSES')

/**
 * The types of problems that an operation answers, beside those that every operation of its kind does (openapi/refusals.ts).
 * They stand in openapi.yaml, and the test servers fail a suite in which another one was answered. On a class: for all its operations.
 * @param types last parts of type URNs, as in docs/errors.md
 */
export function Refuses(...types: readonly string[]): ClassDecorator & MethodDecorator {
  return (target: object, _key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const holder: unknown = descriptor ? descriptor.value : target
    if (typeof holder !== 'function') throw new TypeError('@Refuses decorates a class or a method')
    Reflect.defineMetadata(REFUSES, [...refusedBy(holder), ...types], holder)
  }
}

export function refusedBy(holder: object): readonly string[] {
  const types: readonly string[] | undefined = Reflect.getOwnMetadata(REFUSES, holder)
  return types ?? []
}
