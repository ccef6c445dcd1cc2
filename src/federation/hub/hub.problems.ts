import { Problem } from '../../platform/http/problem.js'

export class ClientUnknown extends Problem {
  constructor() {
    super(403, 'client-unknown', 'The provider does not list this device.')
  }
}

export class NotTheHub extends Problem {
  constructor() {
    super(404, 'not-the-hub', 'This server is not the hub of that room.')
  }
}
