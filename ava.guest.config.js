// What `npm run test:guest` runs: one real gateway at a time, because each of them takes 1.2 GB of memory.
export default {
  extensions: ['ts'],
  files: ['test/guest/*.test.ts'],
  concurrency: 1,
  timeout: '10m',
}
