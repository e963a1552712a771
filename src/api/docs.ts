// The description of the API for programs (/openapi.json) and for people (/docs): Swagger UI from the installed package. The
// page asks no other host for anything, and its policy would not let it.
import { createRequire } from 'node:module'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Context } from 'koa'
import { z } from 'zod'
import { openApiDocument, type OpenApiDocument } from './openapi.ts'
import { json, operation, type Answered, type Operation } from './operation.ts'
import { Problem } from './problem.ts'

/** Swagger UI sets styles on elements and has its pictures in data URLs. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Moorage API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
  </head>
  <body>
    <div id="page"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`

/** No validator: it would send the document elsewhere. */
const start = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#page',
  validatorUrl: null,
  deepLinking: true,
  docExpansion: 'none',
  showExtensions: true,
})
`

/** What is served of the package, and as what. */
const files: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css',
  'swagger-ui-bundle.js': 'text/javascript',
  'favicon-32x32.png': 'image/png',
}

const folder = () => dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

async function answerFile(context: Context, name: string): Promise<void> {
  context.set('Content-Security-Policy', pagePolicy)
  const type = name === 'start.js' ? 'text/javascript' : files[name]
  if (type === undefined || !(name === 'start.js' || Object.hasOwn(files, name)))
    throw new Problem(404, 'not-found', `There is nothing at ${context.path}.`)
  context.body = name === 'start.js' ? start : await readFile(join(folder(), name))
  // The bundle has characters beyond ASCII: read as anything else it breaks.
  context.set('Content-Type', type.startsWith('text/') ? `${type}; charset=utf-8` : type)
  context.set('Cache-Control', 'public, max-age=3600')
}

const html: Answered = { description: 'The page.', content: { 'text/html': z.string() }, headers: [] }
const file: Answered = {
  description: 'A file of the page.',
  content: { 'text/css': z.string(), 'text/javascript': z.string(), 'image/png': z.string() },
  headers: [],
}

/** The operations; `all` lists every operation, these included. */
export function docsOperations(all: () => readonly Operation[]): readonly Operation[] {
  const open = { method: 'get', tag: 'platform', roles: 'open' } as const
  let made: OpenApiDocument | undefined
  return [
    operation({
      ...open,
      ...{ id: 'getOpenApi', path: '/openapi.json', summary: 'This description.' },
      answers: { 200: json(z.looseObject({ openapi: z.string() })) },
      handle: ({ context }) => {
        context.body = made ??= openApiDocument(all())
      },
    }),
    operation({
      ...open,
      ...{ id: 'getDocs', path: '/docs', summary: 'This description as a page.' },
      answers: { 200: html },
      handle: ({ context }) => {
        context.set('Content-Security-Policy', pagePolicy)
        context.type = 'html'
        context.body = page
      },
    }),
    operation({
      ...open,
      ...{ id: 'getDocsFile', path: '/docs/{file}', summary: 'What the page needs.' },
      answers: { 200: file },
      problems: [404],
      handle: ({ context, params: { file: name } }) => answerFile(context, name),
    }),
  ]
}
