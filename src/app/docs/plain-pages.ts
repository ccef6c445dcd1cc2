import type { Config } from '../../platform/config/config.js'
import { VERSION } from '../../platform/version.js'
import { PROBLEM_CHAPTERS } from '../openapi/problem-catalogue.js'
import { inline, page } from './html.js'

/** What somebody sees who opens the server's address: what it is, and where to read on. Nothing about who uses it. */
export function landingPage({ OPERATIONS_PORT }: Pick<Config, 'OPERATIONS_PORT'>): string {
  // On a port of its own it is not for strangers.
  const health = OPERATIONS_PORT === undefined ? '\n<li><a href="/health/ready">Health</a></li>' : ''
  return page(
    'MicroChat Server',
    `<h1>MicroChat Server</h1>
<p>Version ${inline(VERSION)}. A Delivery Service and Authentication Service for Messaging Layer Security (RFC 9420).</p>
<nav><ul>
<li><a href="/docs">The HTTP API</a> (<a href="/openapi.yaml">openapi.yaml</a>, <a href="/openapi.json">openapi.json</a>)</li>
<li><a href="/docs/stream">The stream</a> (<a href="/asyncapi.yaml">asyncapi.yaml</a>)</li>
<li><a href="/docs/errors">Errors</a></li>${health}
</ul></nav>`,
  )
}

/** docs/errors.md as a page; a fragment with the name of a problem leads to it. */
export function errorsHtml(): string {
  const chapters = PROBLEM_CHAPTERS.map(([title, types]) => {
    const rows = Object.entries(types).map(
      ([name, { status, retry, when, client }]) =>
        `<tr id="${name}"><td><code>${name}</code></td><td>${status}</td><td>${retry}</td><td>${inline(when)}<br>→ ${inline(client)}</td></tr>`,
    )
    return `<h2>${inline(title)}</h2>\n<table>\n<tr><th>type</th><th>status</th><th>retry</th><th></th></tr>\n${rows.join('\n')}\n</table>`
  })
  const head = `<p><a href="/">MicroChat Server</a></p><h1>Errors</h1>
<p>The <code>type</code> of a problem is <code>urn:microchat:problem:</code> and one of these names. Retry: <em>no</em>, the same request is
refused again; <em>wait</em>, it can succeed after <code>Retry-After</code>; <em>redo</em>, a new request can succeed, made after what is said here.</p>`
  return page('MicroChat Server: errors', [head, ...chapters].join('\n'))
}

/** Swagger UI, from its npm package; `start.js` is where it begins. */
export function apiPage(): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>MicroChat Server API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script>
</body>
</html>
`
}

/** One operation open at a time is what a reader wants; the schemas come with the operations. */
export const START_JS = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: -1,
  defaultModelRendering: 'example',
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: false,
  validatorUrl: null,
})
`
