import { Problem } from '../../platform/http/problem.js'

export class TooManyConsents extends Problem {
  constructor(what: string) {
    super(409, 'too-many-consents', `Too many ${what}.`)
  }
}
