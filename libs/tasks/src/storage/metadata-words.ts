import type { Finding } from '@strata/model';
import { blocker } from '../native/findings';
import type { MetadataStoreError } from '../ports/metadata-store';

type Doing = 'look' | 'write';
interface Meaning {
  said: RegExp;
  doing?: Doing;
  code: string;
  message: (url: string) => string;
  remedy: string;
}
const grant =
  'give a user that may make tables there (PostgreSQL: owner of the database, or CREATE on its schema) or that may use all keys (Redis: `~* +@all`, without its dangerous commands), then apply again';
/** In this order: the first that fits. SQLSTATEs of PostgreSQL, and the first words of Redis' refusals. */
const meanings: readonly Meaning[] = [
  { said: /^tls$/, code: 'untrusted', message: (url) => `${url} shows a certificate that this machine does not trust, or that is of another name`, remedy: 'name its authority in `storage.metadata.caCertificates`, and the host as its certificate does, then apply again' },
  { said: /^no-tls$/, code: 'no-tls', message: (url) => `${url} does not speak TLS`, remedy: 'turn TLS on there (PostgreSQL: `ssl = on`): metadata are never asked without; then apply again' },
  { said: /^unreachable$/, code: 'unreachable', message: (url) => `this machine does not reach ${url}`, remedy: 'see name, port, firewall and whether it runs; no proxy is used for it; then apply again' },
  { said: /^(28P01|28000|WRONGPASS|NOAUTH)$/, code: 'wrong-password', message: (url) => `${url} does not let this user in with this password, or not from this machine`, remedy: 'give the right user in `url` and the right `passwordFrom`, and let this machine in (PostgreSQL: pg_hba.conf), then apply again' },
  { said: /^(3D000|no-database)$/, code: 'no-database', message: (url) => `there is no such database: ${url}`, remedy: 'make it, empty and for this volume alone, or name another one, then apply again' },
  { said: /^(25006|READONLY|NOREPLICAS)$/, code: 'read-only', message: (url) => `${url} can only be read: it is a copy of another one, or takes no writes now`, remedy: 'name the primary, then apply again' },
  { said: /^cluster$/, code: 'redis-cluster', message: (url) => `${url} is a Redis Cluster`, remedy: 'name one Redis of its own, or a PostgreSQL, then apply again' },
  { said: /^(42501|NOPERM)$/, doing: 'look', code: 'no-read', message: (url) => `this user may not read at ${url}`, remedy: grant },
  { said: /^(42501|NOPERM|3F000)$/, code: 'read-only', message: (url) => `this user may not make tables or write at ${url}`, remedy: grant },
  { said: /^(53100|OOM|MISCONF)$/, code: 'no-space', message: (url) => `${url} has no space, or cannot write to its disk`, remedy: 'make room there, then apply again' },
]; // prettier-ignore

/** What an answer of a database for metadata means for whoever asked for it. `doing`: what was tried. Null where another try may help. */
export function metadataFinding(e: MetadataStoreError, at: { url: string; doing: Doing }): Finding | null {
  const is = meanings.find((m) => m.said.test(e.said) && (m.doing === undefined || m.doing === at.doing));
  return is ? blocker(`storage.${is.code}`, `${is.message(at.url)} [${e.message}]`, is.remedy) : null;
}
