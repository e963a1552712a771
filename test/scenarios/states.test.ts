import { testScenarios } from './declare.ts'

testScenarios('states', 'volumes', 'stuck')
