import { join } from 'node:path';
import { createPrivateFile, hashToken, newToken, privateDirectory } from '@strata/pki';
import type { Store } from '@strata/store';

/** The first token: made once, in a file that only root reads; the database has its hash. A file that is there is taken up again, so a fresh database gets the same token. */
export async function ensureAdminToken(store: Store, home: string): Promise<void> {
  const dir = join(home, 'secrets');
  await privateDirectory(dir);
  const kept = await createPrivateFile(join(dir, 'admin.token'), `${newToken('admin')}\n`);
  const hash = hashToken(kept.toString('utf8').trim());
  if (!(await store.apiTokens.find(hash))) await store.apiTokens.add({ hash, name: 'admin', role: 'admin' });
}
