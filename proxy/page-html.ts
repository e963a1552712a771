// The look of the proxy's own pages: one self-contained document, light and dark, readable without colour or motion. Pure.

export interface PageWords {
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly requestId: string
  /** Seconds until the page loads itself again. */
  readonly refresh: number | undefined
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text made safe for element content and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

const style = `
:root { color-scheme: light dark; --ground: #f4f5f7; --card: #fff; --ink: #1c2330; --quiet: #566072; --line: #dde1e8; --mark: #2f6f5e }
@media (prefers-color-scheme: dark) {
  :root { --ground: #12161d; --card: #1b212b; --ink: #e9edf3; --quiet: #a3adbd; --line: #2d3542; --mark: #7cc7b1 }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { width: 100%; max-width: 30rem; padding: 2.5rem 2.25rem; background: var(--card); border: 1px solid var(--line);
  border-top: 4px solid var(--mark); border-radius: .75rem }
h1 { margin: 0 0 .5rem; font-size: 1.6rem; line-height: 1.25; letter-spacing: -.01em }
p { margin: 0 0 1rem }
.status { margin: 0 0 .75rem; color: var(--mark); font-weight: 600; font-variant-numeric: tabular-nums }
.quiet { margin: 1.75rem 0 0; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--quiet); font-size: .8125rem;
  overflow-wrap: anywhere }
.bar { height: 3px; margin: 0 0 1rem; overflow: hidden; border-radius: 2px; background: var(--line) }
.bar::before { content: ""; display: block; width: 30%; height: 100%; border-radius: 2px; background: var(--mark) }
@media (prefers-reduced-motion: no-preference) {
  .bar::before { animation: slide 1.8s ease-in-out infinite alternate }
  @keyframes slide { from { transform: translateX(0) } to { transform: translateX(233%) } }
}
`

/**
 * Where the address has a fragment (OpenClaw's links carry `#token=` there), Chromium takes the refresh for a jump within
 * the page and loads nothing. The page's content policy names this script by its hash and allows no other.
 */
export const refreshScript =
  "if (location.hash) setTimeout(() => location.reload(), document.querySelector('meta[http-equiv]').content * 1000)"

/** A whole HTML document. Every text is escaped here. */
export function htmlPage({ status, title, detail, requestId, refresh }: PageWords): string {
  const waits = refresh !== undefined
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
${waits ? `<meta http-equiv="refresh" content="${refresh}">\n` : ''}<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<p class="status">${status}</p>
<h1>${escapeHtml(title)}</h1>
${waits ? '<div class="bar" aria-hidden="true"></div>\n' : ''}<p>${escapeHtml(detail)}</p>
${waits ? `<p>This page looks again by itself every ${refresh} seconds.</p>\n` : ''}<p class="quiet">Request ${escapeHtml(requestId)}</p>
</main>
${waits ? `<script>${refreshScript}</script>\n` : ''}</body>
</html>
`
}
