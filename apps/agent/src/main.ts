import { mkdirSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { parseArgs } from 'node:util';
import { localHost, pruneResults } from '@strata/host-local';
import { changesText } from '@strata/model';
import { changesOf, renewCertificates } from '@strata/tasks';
import { FirstBefores } from './befores';
import { readConfig } from './config';
import { realClock } from './execute-order';
import { Connection } from './connection';
import { doctor } from './doctor';
import { ImageWatch } from './image-watch';
import { Journal } from './journal';
import { join } from './join';
import { journalForReading, keptOf } from './kept';
import { isUnit, shouldStartAfresh } from './lean';
import { Orders } from './orders';
import { defaultPaths, type Paths } from './paths';
import { takeAll } from './take-all';
import { version } from './version';

const usage = `stratad ${version}: the Strata agent
  stratad join --server HOST:PORT [--server …] [--ca-pin PIN] [--name NAME]   make this machine a node; the token comes on standard input
  stratad run                                                                 what stratad.service runs
  stratad renew-certificates [--now]                                          what strata-renew-certificates.timer runs
  stratad changes [-o json]                                                   everything on this machine that Strata owns, with what was there before
  stratad uninstall [--force] [--agent-only]                                  without a server: take back every change, the last one first, then the agent
  stratad doctor [--all] [-o json]                                            what is wrong with this machine, told without a server
  stratad --version
options for tests: --config FILE --state DIR --no-start`;
const lookEveryMs = 15_000;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function standardInput(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

async function run(paths: Paths): Promise<void> {
  const config = await readConfig(paths);
  mkdirSync(paths.state, { recursive: true, mode: 0o700 });
  const journal = Journal.open(joinPath(paths.state, 'journal.jsonl'));
  if (journal.fullAtOpen) say(`the journal is used as it lies there: ${journal.fullAtOpen.message}; free space on the disk of ${paths.state}`);
  await pruneResults(paths.state, 7).catch((e: Error) => say(`old results stay: ${e.message}`));
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort(new Error('the agent is stopped')));
  const connection = new Connection({ paths, config, journal, say });
  const orders = new Orders({
    config, journal, say,
    fatal: (line) => {
      say(`${line}; this process ends, systemd starts it again`);
      process.exit(1);
    },
    befores: new FirstBefores(joinPath(paths.state, 'befores')),
    boxKey: Buffer.from(config.boxKey, 'base64'),
    host: (order, log) => localHost({ stateDir: paths.state, order, artifacts: () => connection.artifactAccess, log }),
    send: (m) => connection.send(m),
    offer: (m) => connection.offer(m),
    serverNow: () => connection.serverNow(),
  }); // prettier-ignore
  say(`stratad ${version}: node ${config.nodeName}`);
  orders.resume();
  const work = {
    get begun() {
      return orders.begun;
    },
    get busy() {
      return orders.busy || connection.looking > 0; // nor in the middle of a look
    },
  };
  const afresh = shouldStartAfresh({ orders: work });
  const looks = setInterval(() => {
    void orders.askForSecrets().catch(() => undefined); // without a session the next Welcome asks
    if (!isUnit(process.env) || !afresh()) return;
    say('starting afresh: the last orders left this process too large');
    stop.abort(new Error('the agent starts afresh'));
  }, lookEveryMs);
  const images = new ImageWatch({
    host: localHost({ stateDir: paths.state, artifacts: () => connection.artifactAccess }),
    busy: () => orders.busy,
    say,
    now: () => Date.now(),
  });
  images.start();
  await connection.run(orders, stop.signal);
  images.stop();
  clearInterval(looks);
  journal.close();
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      server: { type: 'string', multiple: true },
      'ca-pin': { type: 'string' },
      name: { type: 'string' },
      config: { type: 'string' },
      state: { type: 'string' },
      'no-start': { type: 'boolean' },
      now: { type: 'boolean' },
      output: { type: 'string', short: 'o' },
      all: { type: 'boolean' },
      force: { type: 'boolean' },
      'agent-only': { type: 'boolean' },
      version: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const paths: Paths = { ...defaultPaths, ...(values.config ? { config: values.config } : {}), ...(values.state ? { state: values.state } : {}) };
  if (values.version) {
    process.stdout.write(`stratad ${version} (node ${process.version})\n`);
    return 0;
  }
  switch (positionals[0]) {
    case 'join':
      if (!values.server?.length) break;
      await join({ servers: values.server, caPin: values['ca-pin'], name: values.name, start: !values['no-start'], paths, token: await standardInput(), say });
      return 0;
    case 'run':
      await run(paths);
      return 0;
    case 'renew-certificates': {
      const host = localHost({ stateDir: paths.state });
      await renewCertificates({ host, clock: realClock, signal: AbortSignal.timeout(30 * 60_000), log: say }, { now: values.now === true });
      return 0;
    }
    case 'doctor':
      return doctor(paths, { json: values.output === 'json', all: values.all === true, out: (text) => void process.stdout.write(`${text}\n`) });
    case 'changes': {
      const changes = await changesOf(localHost({ stateDir: paths.state }), await keptOf(paths, journalForReading(paths)));
      process.stdout.write(`${values.output === 'json' ? JSON.stringify({ changes }, null, 2) : changesText(changes)}\n`);
      return 0;
    }
    case 'uninstall':
      return takeAll(paths, { force: values.force === true, agentOnly: values['agent-only'] === true, say });
  }
  (values.help ? process.stdout : process.stderr).write(`${usage}\n`);
  return values.help ? 0 : 2;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    const causes: string[] = [];
    for (let e: unknown = error.cause; e instanceof Error; e = e.cause) causes.push(`  because ${e.message}`);
    say([`stratad: ${error.message}`, ...causes].join('\n'));
    process.exit(1);
  },
);
