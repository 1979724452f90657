import { Controller, Get, Injectable } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { OpenAPIObject } from '@nestjs/swagger';

/** The OpenAPI document of this server, made when it is first asked for. */
@Injectable()
export class OpenApiDocument {
  private known: OpenAPIObject | null = null;
  /** Set once the application stands. */
  make: () => OpenAPIObject = () => {
    throw new Error('the application does not stand yet');
  };
  get(): OpenAPIObject {
    return (this.known ??= this.make());
  }
}

@ApiExcludeController()
@Controller('v1/openapi.json')
export class OpenApiController {
  constructor(private readonly document: OpenApiDocument) {}

  @Get()
  get(): OpenAPIObject {
    return this.document.get();
  }
}
