import { PrismaPg } from '@prisma/adapter-pg';
import { Accounts } from './accounts';
import { Audit } from './audit';
import { Clusters } from './clusters';
import { BundleFiles } from './bundle-files';
import { describeConnection, poolConfig, type Connection } from './connection';
import { Db } from './db';
import { Epochs } from './epochs';
import { PrismaClient } from './gen/client';
import { Idempotency } from './idempotency';
import { PgLedger, type Seal } from './ledger';
import { Logs } from './logs';
import { Nodes } from './nodes';
import { Outbox } from './outbox';
import { listenForAppends } from './run-feed';
import { Runs } from './runs';
import { migrate } from './schema-engine';
import { takeServerLock, type ServerLock, type ServerLockOptions } from './server-lock';
import { ApiTokens, EnrollTokens, MintedTokens } from './tokens';

/** Everything that can be read and written. The `Work` that `transaction` gives does it all or nothing. */
export interface Work {
  readonly ledger: PgLedger;
  readonly clusters: Clusters;
  readonly nodes: Nodes;
  readonly runs: Runs;
  readonly outbox: Outbox;
  readonly apiTokens: ApiTokens;
  readonly enrollTokens: EnrollTokens;
  readonly mintedTokens: MintedTokens;
  readonly accounts: Accounts;
  readonly audit: Audit;
  readonly bundleFiles: BundleFiles;
  readonly idempotency: Idempotency;
  readonly logs: Logs;
  readonly epochs: Epochs;
}
export interface Store extends Work {
  /** One transaction. It is done again as a whole when PostgreSQL restarts: the function must have no other effects. */
  transaction<T>(work: (work: Work) => Promise<T>): Promise<T>;
  /** Brings the schema up to date; gives the names of the migrations applied. */
  migrate(): Promise<string[]>;
  /** Waits until this is the only server on the database. */
  lock(options: ServerLockOptions): Promise<ServerLock>;
  /** See `listenForAppends`. */
  onRunAppended(callback: (runId: string | null) => void): Promise<() => Promise<void>>;
  /** A question to the database within its deadline; throws with the address when it does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
interface By {
  clock: () => number;
  seal: Seal;
}
function workOver(db: Db, by: By): Work {
  return {
    ledger: new PgLedger(db, by),
    clusters: new Clusters(db),
    nodes: new Nodes(db),
    runs: new Runs(db),
    outbox: new Outbox(db),
    apiTokens: new ApiTokens(db),
    enrollTokens: new EnrollTokens(db),
    mintedTokens: new MintedTokens(db),
    accounts: new Accounts(db),
    audit: new Audit(db),
    bundleFiles: new BundleFiles(db),
    idempotency: new Idempotency(db),
    logs: new Logs(db),
    epochs: new Epochs(db),
  };
}

/**
 * The store on one database. Connects on first use; calls survive restarts of PostgreSQL for 20 s. `clock`: what events are dated by (ms).
 * `seal`: marks the ledger's lines as written by this server (see `isBroken`); without it they are taken as they are.
 */
export function openStore(connection: Connection, { clock = Date.now, seal = () => '', connections = 10 }: Partial<By> & { connections?: number } = {}): Store {
  const quiet = (): void => undefined; // an idle connection that dies is no event: the next statement opens another
  const adapter = new PrismaPg({ ...poolConfig(connection), max: connections }, { onPoolError: quiet, onConnectionError: quiet });
  const prisma = new PrismaClient({ adapter, errorFormat: 'minimal' }); // else each failed statement reads our whole bundle for a pretty excerpt
  const db = Db.over(prisma);
  return {
    ...workOver(db, { clock, seal }),
    transaction: (work) => db.transaction((inside) => work(workOver(inside, { clock, seal }))),
    migrate: () => migrate(connection),
    lock: (options) => takeServerLock(connection, options),
    onRunAppended: (callback) => listenForAppends(connection, callback),
    ping: async () => {
      try {
        await prisma.$queryRaw`SELECT 1`;
      } catch (cause) {
        throw new Error(`PostgreSQL at ${describeConnection(connection)} does not answer: see the supervisor's postgres.log, or check DATABASE_URL`, { cause });
      }
    },
    close: () => prisma.$disconnect(),
  };
}
