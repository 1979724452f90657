import { chmod, mkdir, rm } from 'node:fs/promises';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { issueListeners, loadOrCreateServerKeys, sealMac, writePrivateFile } from '@strata/pki';
import { openStore, type ServerLock, type Store } from '@strata/store';
import type { AgentServer } from '@strata/wire';
import { ArtifactListener } from '../artifacts/artifact-listener';
import { EnrollNode } from '../enrollment/enroll-node';
import { Relay } from '../orders/relay';
import { AdvanceRuns } from '../runs/advance-runs';
import { EndRun } from '../runs/end-run';
import { FollowUp } from '../runs/follow-up';
import { NoticingLedger } from '../runs/noticing-ledger';
import { PrepareRun } from '../runs/prepare-run';
import { SessionHandler } from '../sessions/session.handler';
import { Sessions } from '../sessions/sessions';
import { ownAddresses, type Settings } from '../settings';
import { ensureAdminToken } from './admin-token';
import { listenForAgents } from './agents';
import { createApi } from './api';
import { Edges } from './edges';
import { mustBeFree } from './ports-free';
import { keepListenersFresh, type Listening } from './renew-listeners';
import { ProvideVolumes } from '../storage/provide-volumes';
import { startRetention } from './retention';
import { createLog, type Log } from './log';

const keepAnswersMs = 24 * 3_600_000;
const longestUploadMs = 12 * 3_600_000; // a bundle file over a slow line; one that falls silent is given up by its route

/** A control server that runs. */
export interface Serving {
  /** The Nest application and its edges, for whoever looks inside. */
  app: INestApplication;
  edges: Edges;
  ports: { api: number; agents: number; enrollment: number; artifacts: number };
  listening: Listening;
  /** Ends in peace: what is under way at agents goes on there, and is taken up by the next start. */
  stop(): Promise<void>;
}

/**
 * Starts the control server: waits until it is the only one on its database, brings the schema up to date, opens the four listeners and
 * takes up every open run. Resolves when it listens. `onLost`: another server may have taken over; stop at once.
 */
export async function serve(settings: Settings, onLost: (because: string) => void): Promise<Serving> {
  const log = createLog(settings.logLevel);
  await mkdir(settings.home, { recursive: true });
  await chmod(settings.home, 0o711);
  const keys = await loadOrCreateServerKeys(join(settings.home, 'secrets'));
  const store = openStore(settings.database, { seal: (text) => sealMac(keys.planSeal, text) });
  const stopping = new AbortController();
  const lock = await store.lock({ onLost, onWaiting: () => log.warn('another control server works on this database: waiting as standby') });
  const applied = await store.migrate();
  if (applied.length > 0) log.info({ applied }, 'the schema was brought up to date');
  await ensureAdminToken(store, settings.home);
  await store.idempotency.sweep(new Date(Date.now() - keepAnswersMs));
  const epoch = await store.epochs.next('server');
  const hosts = settings.advertise.length > 0 ? settings.advertise : ownAddresses();
  const edges = Object.assign(Object.create(Edges.prototype) as Edges, {
    ...{ settings, log, store, keys, epoch, ledger: new NoticingLedger(store.ledger), sessions: new Sessions(Date.now()), stopping: stopping.signal },
    reach: { hosts, reachedAt: new Map<string, string[]>(), ports: { api: 0, agents: 0, enrollment: 0, artifacts: 0 } },
  });
  await mustBeFree(settings);
  const tls = await issueListeners(keys.authority, hosts);
  const app = await createApi(edges, tls.api);
  await app.init();
  const agents = await listenForAgents(edges, tls, { enroll: app.get(EnrollNode), sessions: app.get(SessionHandler) });
  const artifacts = await app.get(ArtifactListener).listen(tls.artifacts);
  const api = (await app.listen(settings.listen.api.port, settings.listen.api.host)) as Server;
  api.requestTimeout = longestUploadMs;
  const ports = { api: portOf(api), agents: agents.sessionPort, enrollment: agents.enrollmentPort, artifacts: portOf(artifacts) };
  edges.reach.ports = ports;
  await begin(app);
  startRetention(store, log, stopping.signal);
  const listening: Listening = { edges, hosts, agents, api, artifacts, tls };
  keepListenersFresh(listening, stopping.signal);
  await writePorts(settings.home, ports);
  log.info({ ports, epoch, hosts }, 'the control server is up');
  return { app, edges, ports, listening, stop: () => stop({ app, agents, artifacts, store, lock, stopping, log, home: settings.home }) };
}

/** Everything that moves by itself, in the order in which each may need the one before. */
async function begin(app: INestApplication): Promise<void> {
  await app.get(EndRun).start();
  await app.get(PrepareRun).start();
  app.get(Relay, { strict: false }).start();
  await app.get(AdvanceRuns).start();
  app.get(FollowUp).start();
  app.get(ProvideVolumes).start();
}

interface Running {
  app: INestApplication;
  agents: AgentServer;
  artifacts: Server;
  store: Store;
  lock: ServerLock;
  stopping: AbortController;
  log: Log;
  home: string;
}
async function stop(r: Running): Promise<void> {
  r.stopping.abort(new Error('the control server stops'));
  for (const part of [r.app.get(AdvanceRuns), r.app.get(FollowUp), r.app.get(ProvideVolumes), r.app.get(Relay, { strict: false })]) part.stop();
  await r.agents.close(1_000);
  r.artifacts.closeAllConnections();
  await new Promise((resolve) => r.artifacts.close(resolve));
  (r.app.getHttpServer() as Server).closeAllConnections();
  await r.app.close();
  await r.lock.release();
  await r.store.close();
  await rm(join(r.home, 'run/ports.json'), { force: true });
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** For whoever starts servers on free ports: tests, `strata up`. */
async function writePorts(home: string, ports: Serving['ports']): Promise<void> {
  await mkdir(join(home, 'run'), { recursive: true });
  await writePrivateFile(join(home, 'run/ports.json'), `${JSON.stringify(ports)}\n`);
}
