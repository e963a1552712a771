// What is said and kept by a process that has ended, for whoever searches it for secrets.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openStore } from '../../src/store/open.ts'

export interface Said {
  readonly where: string
  readonly text: string
}

/** Every file of a folder, by its path in it. */
export async function filesBelow(folder: string): Promise<{ name: string; text: string }[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Promise.all(
    files.map(async (name) => ({ name: name.slice(folder.length + 1), text: await readFile(name, 'latin1') })),
  )
}

/** Every document of the embedded database in a data folder, collection by collection. */
export async function dump(folder: string): Promise<Map<string, string>> {
  const store = await openStore({ uri: undefined, folder: join(folder, 'db') })
  try {
    const collections = await store.db.listCollections().toArray()
    const texts = collections.map(async ({ name }): Promise<[string, string]> => {
      return [name, JSON.stringify(await store.db.collection(name).find().toArray())]
    })
    return new Map(await Promise.all(texts))
  } finally {
    await store.close()
  }
}

/** A secret and the parts of it that are as good: what stands behind a prefix, and the signature of a JWT. */
export function canariesOf(name: string, secret: string): readonly { readonly name: string; readonly text: string }[] {
  const parts = [
    secret,
    secret.replace(/^(whsec|moor)_/, ''),
    ...(secret.includes('.') ? secret.split('.').slice(1) : []),
  ]
  return [...new Set(parts)].map((text) => ({ name, text }))
}

/** Where which secret is found. */
export function leaksIn(said: readonly Said[], canaries: readonly { readonly name: string; readonly text: string }[]) {
  return said.flatMap(({ where, text }) =>
    canaries.flatMap((canary) => (text.includes(canary.text) ? [`${canary.name} is in ${where}`] : [])),
  )
}
