import { mkdirSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { parseArgs } from 'node:util';
import { localHost, pruneResults } from '@strata/host-local';
import { FirstBefores } from './befores';
import { readConfig } from './config';
import { Connection } from './connection';
import { Journal } from './journal';
import { join, uninstall } from './join';
import { isUnit, shouldStartAfresh } from './lean';
import { Orders } from './orders';
import { defaultPaths, type Paths } from './paths';
import { version } from './version';

const usage = `stratad ${version}: the Strata agent
  stratad join --server HOST:PORT [--server …] [--ca-pin PIN] [--name NAME]   make this machine a node; the token comes on standard input
  stratad run                                                                 what stratad.service runs
  stratad uninstall                                                           take the agent away from this machine
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
    host: (order) => localHost({ stateDir: paths.state, order, artifacts: () => connection.artifactAccess }),
    send: (m) => connection.send(m),
    offer: (m) => connection.offer(m),
    serverNow: () => connection.serverNow(),
  }); // prettier-ignore
  say(`stratad ${version}: node ${config.nodeName}`);
  orders.resume();
  const afresh = shouldStartAfresh({ orders });
  const looks = setInterval(() => {
    void orders.askForSecrets().catch(() => undefined); // without a session the next Welcome asks
    if (!isUnit(process.env) || !afresh()) return;
    say('starting afresh: the last orders left this process too large');
    stop.abort(new Error('the agent starts afresh'));
  }, lookEveryMs);
  await connection.run(orders, stop.signal);
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
    case 'uninstall':
      await uninstall(paths, say);
      return 0;
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
