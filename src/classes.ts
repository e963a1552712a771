// Reads the classes and the example tenants, which live as YAML in specs/.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClassDocument } from '../specs/class.ts'
import { parseYamlAll, type AnyDocument } from '../specs/parse.ts'
import type { TenantDocument } from '../specs/tenant.ts'

const specsFolder = join(import.meta.dirname, '..', 'specs')

function readFolder(name: string): AnyDocument[] {
  const folder = join(specsFolder, name)
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'))
  return files.sort().flatMap((file) =>
    parseYamlAll(readFileSync(join(folder, file), 'utf8')).map((parsed) => {
      if (parsed.ok) return parsed.value
      const [{ path, message, line = 1, column = 1 } = { path: '', message: 'cannot be read' }] = parsed.problems
      throw new Error(`${join(folder, file)}:${line}:${column} ${path} ${message}`)
    }),
  )
}

/** The classes by name. Throws with file, line and column of what is wrong. */
export function readClasses(): ReadonlyMap<string, ClassDocument> {
  const documents = readFolder('classes').filter((document) => document.kind === 'Class')
  return new Map(documents.map((document) => [document.name, document]))
}

/** The tenants that a first start applies. */
export function readExamples(): readonly TenantDocument[] {
  return readFolder('examples').filter((document) => document.kind === 'Tenant')
}
