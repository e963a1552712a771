// The stand-in's control page: what a person sees, and a WebSocket opened by OpenClaw's connect exchange. Pure.

export interface ControlPageFacts {
  readonly uid: string
  readonly incarnation: string
}

/**
 * Connects as the real page does: it waits for the challenge, then asks with the token, which comes in the fragment (no
 * server ever sees that) and stays in the tab. It does not connect again by itself: that would be use, and wake the tenant.
 */
const script = `
const told = new URLSearchParams(location.hash.slice(1)).get('token')
if (told) sessionStorage.setItem('token', told)
const token = sessionStorage.getItem('token')
const state = document.querySelector('#state')
const said = document.querySelector('#said')
const form = document.querySelector('form')
const show = (text) => (state.textContent = text)
function connect() {
  show('connecting')
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/')
  let admitted = false
  socket.onmessage = ({ data }) => {
    if (admitted) return void (said.textContent += data + '\\n')
    const message = JSON.parse(data)
    if (message.event === 'connect.challenge') {
      const params = { minProtocol: 4, maxProtocol: 4, auth: { token } }
      socket.send(JSON.stringify({ type: 'req', id: 'connect', method: 'connect', params }))
    } else if (message.id === 'connect') {
      admitted = message.ok
      const { uid, incarnation } = message.payload?.snapshot ?? {}
      show(message.ok ? 'connected to ' + uid + ', incarnation ' + incarnation : 'refused: ' + message.error.message)
    }
  }
  socket.onclose = ({ code }) => {
    if (admitted) show('disconnected (' + code + ')')
    form.onsubmit = (event) => (event.preventDefault(), connect())
  }
  form.onsubmit = (event) => {
    event.preventDefault()
    if (admitted) socket.send(form.elements.words.value)
  }
}
if (token) connect()
else show('no token: open this page with #token=...')
`

/** A whole HTML document. The facts are words without any markup. */
export function controlPage({ uid, incarnation }: ControlPageFacts): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Stand-in gateway</title>
<h1>Stand-in gateway</h1>
<p>This is tenant <code>${uid}</code>, incarnation <code>${incarnation}</code>.</p>
<p>A real machine shows OpenClaw's control page here.</p>
<p id="state" role="status">loading</p>
<form><label>Say <input name="words" autocomplete="off"></label> <button>Send</button></form>
<pre id="said"></pre>
<script>${script}</script>
</html>
`
}
