import { Controller, Get, Param, StreamableFile } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Artifact, Version } from '@strata/model';
import { z } from 'zod';
import { notFound } from '../api/problem';
import { ObtainArtifacts } from './obtain-artifacts';

@ApiTags('artifacts')
@Controller('v1/artifacts')
export class ArtifactsController {
  constructor(private readonly artifacts: ObtainArtifacts) {}

  @Get(':name/:version')
  @ApiOperation({ operationId: 'getArtifact', summary: 'What is in the store under this name and version' })
  @ApiResponse({ status: 200, standardSchema: Artifact })
  async get(@Param('name', { schema: z.string().max(100) }) name: string, @Param('version', { schema: Version }) version: string): Promise<Artifact> {
    const catalog = await this.artifacts.catalog();
    const known = catalog.entries.some((e) => e.name === name && e.version === version);
    const artifact = known ? await this.artifacts.obtained({ name, version }) : null;
    if (!artifact)
      throw notFound(`artifact ${name} ${version} in the store`, known ? 'it is obtained when a run needs it' : 'see the names and versions in catalog/');
    return artifact;
  }
  @Get(':name/:version/content')
  @ApiOperation({
    operationId: 'getArtifactContent',
    summary: 'The bytes of an artifact that is one file, for the command line; nodes take theirs from the artifact listener',
  })
  @ApiProduces('application/octet-stream')
  async content(@Param('name', { schema: z.string().max(100) }) name: string, @Param('version', { schema: Version }) version: string): Promise<StreamableFile> {
    const artifact = await this.get(name, version);
    if (artifact.kind === 'image') throw notFound(`single file of artifact ${name}, which is an image`, 'take its blobs from the artifact listener');
    const { blob } = artifact;
    return new StreamableFile(await this.artifacts.store.read(blob), { type: 'application/octet-stream', length: blob.size });
  }
}
