// Where settings come from: the environment, a YAML file, and files that each hold one secret. Nothing is checked here but
// names; the values, which may be secrets, are never repeated in what is wrong.
import { readFileSync } from 'node:fs'
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml'
import { keysOfFile, otherNames, sets, settingOfFile } from './settings.ts'

export interface Given {
  readonly name: string
  readonly value: string
  /** For people: the name of the variable, or file, line and key. */
  readonly where: string
}

export interface Sources {
  readonly given: ReadonlyMap<string, Given>
  /** One sentence each. */
  readonly wrong: readonly string[]
}

const reason = (error: unknown) => (error as NodeJS.ErrnoException).code ?? 'it cannot be read'

/** Puts what `<NAME>_FILE` names in the place of NAME, and refuses what is given twice. */
function settle(entries: readonly Given[]): Sources {
  const given = new Map<string, Given>()
  const wrong: string[] = []
  for (const entry of entries) {
    const name = settingOfFile(entry.name) ?? entry.name
    const first = given.get(name)
    if (first !== undefined) wrong.push(`${entry.where}: ${first.where} sets the same`)
    else if (name === entry.name) given.set(name, entry)
    else
      try {
        // Whoever writes a secret to a file ends it with a line feed, or does not.
        given.set(name, { ...entry, name, value: readFileSync(entry.value, 'utf8').trim() })
      } catch (error) {
        wrong.push(`${entry.where}: the file cannot be read (${reason(error)})`)
      }
  }
  return { given, wrong }
}

function fromEnvironment(environment: NodeJS.ProcessEnv): Sources {
  const entries: Given[] = []
  const wrong: string[] = []
  for (const [name, value = ''] of Object.entries(environment)) {
    if (value === '' || Object.hasOwn(otherNames, name)) continue
    if (sets(name)) entries.push({ name, value, where: name })
    else if (name.startsWith('MOORAGE_')) wrong.push(`${name} is not a setting of Moorage`)
  }
  const settled = settle(entries)
  return { given: settled.given, wrong: [...wrong, ...settled.wrong] }
}

/** The text of a value as it stands, so that no number is rounded; a list is joined as the environment has it. */
function textOf(node: unknown): string | undefined {
  if (isScalar(node)) return node.source ?? String(node.value)
  if (!isSeq(node)) return undefined
  const texts = node.items.map((item) => (isScalar(item) ? textOf(item) : undefined))
  return texts.includes(undefined) ? undefined : texts.join(',')
}

const isNothing = (node: unknown) => node === null || (isScalar(node) && node.value === null)

function fromYaml(path: string, text: string): Sources {
  const lines = new LineCounter()
  const at = (node: Node | undefined) => `${path}:${lines.linePos(node?.range?.[0] ?? 0).line}`
  const document = parseDocument(text, { lineCounter: lines })
  const [error] = document.errors
  // The parser's own words may quote the text.
  if (error !== undefined)
    return { given: new Map(), wrong: [`${path}:${lines.linePos(error.pos[0]).line}: is not YAML (${error.code})`] }
  if (isNothing(document.contents)) return { given: new Map(), wrong: [] }
  if (!isMap<Node, Node | null>(document.contents))
    return { given: new Map(), wrong: [`${path}:1: must be names and values`] }
  const keys = keysOfFile()
  const entries: Given[] = []
  const wrong: string[] = []
  for (const { key, value } of document.contents.items) {
    const said = textOf(key) ?? 'a key'
    const name = keys.get(said)
    const found = textOf(value)
    const where = `${at(key)}: ${said}`
    if (name === undefined) wrong.push(`${where} is not a setting of Moorage`)
    else if (!isNothing(value) && found === undefined) wrong.push(`${where}: must be one value, or a list of values`)
    else if (!isNothing(value) && found !== undefined && found !== '') entries.push({ name, value: found, where })
  }
  const settled = settle(entries)
  return { given: settled.given, wrong: [...wrong, ...settled.wrong] }
}

function fromFile(path: string): Sources {
  try {
    return fromYaml(path, readFileSync(path, 'utf8'))
  } catch (error) {
    return { given: new Map(), wrong: [`MOORAGE_CONFIG: ${path} cannot be read (${reason(error)})`] }
  }
}

/** Everything that is set, the environment before the file of MOORAGE_CONFIG. An empty value counts as not set. */
export function settingSources(environment: NodeJS.ProcessEnv): Sources {
  const own = fromEnvironment(environment)
  const { MOORAGE_CONFIG: path = '' } = environment
  const filed: Sources = path === '' ? { given: new Map(), wrong: [] } : fromFile(path)
  return { given: new Map([...filed.given, ...own.given]), wrong: [...own.wrong, ...filed.wrong] }
}
