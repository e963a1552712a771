import { testScenarios } from './declare.ts'

testScenarios('faults')
