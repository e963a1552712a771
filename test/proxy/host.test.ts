// Reading the host of a request: a table of spellings.
import test from 'ava'
import { readAuthority, readRequest } from '../../proxy/host.ts'

const good: Record<string, string> = {
  'acme.localhost': 'acme.localhost',
  'ACME.LocalHost': 'acme.localhost',
  'acme.localhost.': 'acme.localhost',
  'acme.localhost.:7080': 'acme.localhost:7080',
  'acme.localhost:7080': 'acme.localhost:7080',
  'acme.localhost:007': 'acme.localhost:7',
  'xn--bcher-kva.example': 'xn--bcher-kva.example',
  localhost: 'localhost',
  '127.0.0.1:80': '127.0.0.1:80',
}

const bad = [
  '',
  ' ',
  '.',
  ':80',
  'acme..localhost',
  '.acme.localhost',
  'acme.localhost..',
  'ac_me.localhost',
  '-acme.localhost',
  'acme-.localhost',
  'bücher.example',
  'acme.localhost:',
  'acme.localhost:0',
  'acme.localhost:65536',
  'acme.localhost:80:80',
  'acme.localhost:+80',
  'user@acme.localhost',
  'acme.localhost/x',
  'acme.localhost#x',
  'acme.localhost%00',
  'acme localhost',
  'acme.localhost\tx',
  'acme.localhost,globex.localhost',
  '[::1]',
  '[::1]:80',
  '*.localhost',
  `${'a'.repeat(64)}.localhost`,
  `${'a.'.repeat(127)}b`,
]

for (const [text, authority] of Object.entries(good))
  test(`host ${text} is read as ${authority}`, (t) => {
    t.is(readAuthority(text)?.authority, authority)
    t.is(readAuthority(text)?.host, authority.replace(/:\d+$/, ''))
  })

test('what is no DNS name is no host', (t) => {
  for (const text of bad) t.is(readAuthority(text), undefined, JSON.stringify(text.slice(0, 30)))
})

const read = (url: string, ...hosts: string[]) =>
  readRequest({ httpVersion: '1.1', url, rawHeaders: ['Accept', 'host', ...hosts.flatMap((host) => ['Host', host])] })

test('a header’s value that reads "host" is not a host', (t) => {
  t.is(read('/', 'acme.localhost').kind, 'host')
  t.is(read('/').kind, 'refused')
})

test('the path keeps every byte, absolute form or not', (t) => {
  for (const path of ['/', '/a/../b', '/%2e%2e/x', '/?q=/../', '/a//b', '/\\x', '/\xff', '/a#b'])
    for (const prefix of ['', 'http://acme.localhost', 'HTTPS://ACME.localhost.:1']) {
      const asked = read(prefix + path, 'acme.localhost')
      t.is(asked.kind === 'host' ? asked.path : asked.detail, path)
    }
})

test('a refusal repeats nothing of the request', (t) => {
  for (const asked of [
    read('/', 'bad_host'),
    read('http://evil.example/secret', 'acme.localhost'),
    read('*', 'acme.localhost'),
  ])
    t.notRegex(asked.kind === 'refused' ? asked.detail : 'x bad_host', /bad_host|evil|secret|acme/)
})
