// An embedded server in a process of its own, which a test can kill as the machine would. Prints its URI, or why it
// would not start.
import { startEmbedded } from '../../../src/store/embedded/server.ts'

const [folder = ''] = process.argv.slice(2)
// The parent holds the other end: when it is gone, however it went, so is this.
process.stdin.resume().once('end', () => process.exit())
try {
  const { uri } = await startEmbedded({ folder })
  process.stdout.write(`${JSON.stringify({ uri })}\n`)
} catch (error) {
  process.stdout.write(`${JSON.stringify({ refused: error instanceof Error ? error.message : String(error) })}\n`)
  process.stdin.destroy()
}
