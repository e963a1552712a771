import { testScenarios } from './declare.ts'

testScenarios('idle', 'guards', 'quiet')
