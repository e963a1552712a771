import { testScenarios } from './declare.ts'

testScenarios('drift')
