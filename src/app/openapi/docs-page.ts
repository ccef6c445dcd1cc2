/**
 * Swagger UI over the API's description.
 * @param folder of the page's parts as the page refers to it: `./docs/` from `/docs`, `./` from `/docs/`
 */
export function docsPage(folder: './docs/' | './'): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>MicroChat Server API</title>
    <link rel="stylesheet" href="${folder}swagger-ui.css">
    <link rel="icon" type="image/png" href="${folder}favicon-32x32.png" sizes="32x32">
    <link rel="icon" type="image/png" href="${folder}favicon-16x16.png" sizes="16x16">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="${folder}swagger-ui-bundle.js"></script>
    <script src="${folder}init.js"></script>
  </body>
</html>
`
}

/** Finds the description by its own address, whatever a proxy puts before both. */
export const DOCS_SCRIPT = `SwaggerUIBundle({
  url: new URL('../openapi.json', document.currentScript.src).href,
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  displayRequestDuration: true,
})
`
