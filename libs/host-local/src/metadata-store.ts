import { metadataParts } from '@strata/model';
import type { MetadataAccess, MetadataStore } from '@strata/tasks';
import { postgresMetadata } from './metadata-postgres';
import { redisMetadata } from './metadata-redis';

/** JuiceFS' metadata in a database of somebody else's. Each call has a connection of its own, which ends with it. */
export const localMetadata = (at: MetadataAccess): MetadataStore => (metadataParts(at.url).engine === 'postgres' ? postgresMetadata(at) : redisMetadata(at));
