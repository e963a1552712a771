import { testScenarios } from './declare.ts'

testScenarios('pool')
