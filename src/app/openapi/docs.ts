import type { INestApplication } from '@nestjs/common'
import { SwaggerModule } from '@nestjs/swagger'
import type { Config } from '../../platform/config/config.js'
import { describeApi } from './document.js'

/** Swagger UI from its npm package: nothing is fetched from elsewhere. Built on the first visit. */
export function serveDocs(app: INestApplication, config: Pick<Config, 'PUBLIC_URL'>): void {
  SwaggerModule.setup(
    'docs',
    app,
    () => {
      const document = describeApi(app)
      return config.PUBLIC_URL ? { ...document, servers: [{ url: config.PUBLIC_URL }] } : document
    },
    {
      jsonDocumentUrl: 'openapi.json',
      yamlDocumentUrl: 'openapi.yaml',
      customSiteTitle: 'MicroChat Server API',
      swaggerOptions: { persistAuthorization: false, tryItOutEnabled: true, displayRequestDuration: true },
    },
  )
}
