import type { INestApplication } from '@nestjs/common';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { ServerCertificate } from '@strata/pki';
import { OpenApiDocument } from '../api/open-api.controller';
import { ProblemError } from '../api/problem';
import { ProblemFilter } from '../api/problem.filter';
import { AppModule } from '../app.module';
import type { Edges } from './edges';
import { serverVersion } from './version';

type Issue = { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] };
const pathOf = (issue: Issue): string => (issue.path ?? []).map((p) => String(typeof p === 'object' ? p.key : p)).join('.');

/** The Nest application: REST over TLS, every error as problem+json. Not listening yet. */
export async function createApi(edges: Edges, tls: ServerCertificate | null): Promise<INestApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.over(edges), new ExpressAdapter(), {
    logger: ['error', 'warn'],
    bodyParser: false,
    ...(tls ? { httpsOptions: { key: tls.keyPem, cert: tls.certPem } } : {}),
  });
  app.useBodyParser('json', { limit: '2mb' });
  app.useGlobalPipes(
    new StandardSchemaValidationPipe({
      exceptionFactory: (issues: readonly Issue[]) =>
        new ProblemError(400, 'bad-request', {
          title: 'the request is not valid',
          detail: issues.map((i) => `${pathOf(i)}: ${i.message}`).join('; '),
          remedy: 'correct what is named and send it again',
          errors: issues.map((i) => ({ path: pathOf(i), message: i.message })),
        }),
    }),
  );
  app.useGlobalFilters(new ProblemFilter(edges.log));
  app.get(OpenApiDocument, { strict: false }).make = () => openApi(app);
  return app;
}

/** The OpenAPI document of the API. */
function openApi(app: INestApplication): OpenAPIObject {
  const head = new DocumentBuilder().setTitle('Strata control server').setVersion(serverVersion).setOpenAPIVersion('3.1.0').addBearerAuth().build();
  return SwaggerModule.createDocument(app, head);
}
