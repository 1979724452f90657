import { type MetadataAccess, MetadataStoreError } from '@strata/tasks';
import { isTlsError } from './trust';

/** The work of one call, and no longer than its deadline. @throws MetadataStoreError when that is over */
export async function inTime<T>(at: MetadataAccess, work: () => Promise<T>): Promise<T> {
  const ms = at.deadlineMs ?? 60_000;
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new MetadataStoreError('unreachable', `${at.url} has not answered within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** No answer at all: nobody there, or nobody whom this machine trusts. */
export function noAnswer(at: MetadataAccess, cause: Error & { code?: string; errors?: Error[] }): MetadataStoreError {
  const tls = isTlsError(cause.code);
  const words = cause.message || cause.errors?.map((e) => e.message).join(', ') || cause.code || cause.name;
  return new MetadataStoreError(tls ? 'tls' : 'unreachable', `${at.url} ${tls ? 'is not trusted' : 'does not answer'}: ${words}`, cause);
}
