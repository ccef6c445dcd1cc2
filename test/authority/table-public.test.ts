import { testEveryCell } from './cells-fixture.js'

testEveryCell('public')
