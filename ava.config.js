// What `npm test` runs; the tests with the real OpenClaw need it installed and have a configuration of their own.
export default {
  extensions: ['ts'],
  files: ['test/**/*.test.ts', '!test/guest/**'],
  timeout: '5m',
}
