import { testScenarios } from './declare.ts'

testScenarios('suspend', 'delete', 'restore', 'retry', 'restart', 'certificates', 'tokens')
