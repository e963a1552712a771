// What `npm test` runs; the tests with the real OpenClaw need it installed and have a configuration of their own.
import { join } from 'node:path'

// Each test file, and each Moorage that one starts, compiles the same modules: a third of a start. Node keeps the result here.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules', '.cache', 'node')

export default {
  extensions: ['ts'],
  files: ['test/**/*.test.ts', '!test/guest/**'],
  timeout: '5m',
}
