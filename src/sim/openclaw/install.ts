// `npm run guest:install`: puts the pinned OpenClaw and its Node into the cache folder, from the npm registry. Of all
// packages' scripts only OpenClaw's own runs, without which it does not start.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { cacheFolder, guestCache, type GuestCache, isInstalled, nodeVersion, openclawVersion } from './cache.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)
const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']

function npm(cwd: string, args: readonly string[]): void {
  execFileSync('npm', [...args, ...quiet], { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** The image's layout: the package at the top, all of its dependencies in its own node_modules. */
function installApp({ folder, app, node }: GuestCache): void {
  const draft = path.join(folder, 'draft')
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  npm(draft, ['pack', `openclaw@${openclawVersion}`])
  const packed = readdirSync(draft).find((name) => name.endsWith('.tgz'))
  if (packed === undefined) throw new Error('npm pack left no package')
  execFileSync('tar', ['xzf', packed], { cwd: draft })
  npm(path.join(draft, 'package'), ['install', '--omit=dev', '--no-save', '--no-package-lock', '--engine-strict=false'])
  execFileSync(node, ['scripts/postinstall-bundled-plugins.mjs'], { cwd: path.join(draft, 'package'), stdio: 'ignore' })
  rmSync(app, { recursive: true, force: true })
  renameSync(path.join(draft, 'package'), app)
  rmSync(draft, { recursive: true, force: true })
}

function installNode(folder: string): void {
  const home = path.join(folder, 'node')
  mkdirSync(home, { recursive: true })
  writeFileSync(path.join(home, 'package.json'), '{"private":true}\n')
  npm(home, ['install', '--no-package-lock', `node-${process.platform}-${process.arch}@${nodeVersion}`])
}

const cache = guestCache(cacheFolder(process.env))
if (isInstalled(cache)) say(`OpenClaw ${openclawVersion} is there: ${cache.folder}`)
else {
  say(`installing OpenClaw ${openclawVersion} and Node ${nodeVersion} (about 800 MB) into ${cache.folder}`)
  mkdirSync(cache.folder, { recursive: true, mode: 0o700 })
  installNode(cache.folder)
  installApp(cache)
  writeFileSync(path.join(cache.folder, 'installed'), `${openclawVersion} ${nodeVersion}\n`)
  say('done: MOORAGE_GUEST=openclaw npm start')
}
