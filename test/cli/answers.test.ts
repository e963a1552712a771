// The types of the answers that `moor` reads are those by which the API describes the very operations.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { description } from '../helpers/described.ts'

const text = readFileSync(join(import.meta.dirname, '..', '..', 'src', 'cli', 'answers.ts'), 'utf8')

/** What the description calls a type, where it is not the type's name without `View`. */
const names: Readonly<Record<string, string>> = {
  AuditPageView: 'AuditEntry',
  IssuedView: 'IssuedToken',
  EndpointView: 'WebhookEndpoint',
  NewEndpointView: 'WebhookEndpointWithSecret',
  DeliveryView: 'WebhookDelivery',
}

/** Without a name of their own. */
const unnamed = ['TestedView', 'unknown']

const methods = { Lists: 'get', Reads: 'get', Posts: 'post', Puts: 'put', Deletes: 'delete' } as const

interface Row {
  readonly method: string
  readonly path: string
  readonly type: string
}

function rowsOf(name: keyof typeof methods): Row[] {
  const [, body = ''] = new RegExp(`export interface ${name}[^{]*\\{\\n([^]*?)\\n\\}`).exec(text) ?? []
  return [...body.matchAll(/^ {2}'([^']+)': (\w+)$/gm)].map(([, path = '', type = '']) => ({
    method: methods[name],
    path,
    type,
  }))
}

const paths = Object.entries(description.paths as object) as [string, Record<string, { responses: object }>][]

/** `{action}` stands for whichever word. */
const matches = (path: string, found: string) =>
  new RegExp(`^${path.replaceAll(/[{}]/g, '\\$&').replace('\\{action\\}', '[a-z-]+')}$`).test(found)

test('each is an operation, and is answered as its type says', (t) => {
  const rows = Object.keys(methods).flatMap((name) => rowsOf(name as keyof typeof methods))
  t.true(rows.length > 30)
  for (const { method, path, type } of rows) {
    const found = paths.filter(([known, operations]) => matches(path, known) && operations[method] !== undefined)
    t.true(found.length > 0, `${method} ${path}`)
    if (unnamed.includes(type)) continue
    const name = names[type] ?? type.replace(/View$/, '')
    for (const [known, operations] of found) {
      const answered = JSON.stringify(operations[method]?.responses)
      t.regex(answered, new RegExp(`#/components/schemas/${name}(Output)?"`), `${method} ${known}`)
    }
  }
})
