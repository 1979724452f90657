import { existsSync, readFileSync, statSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { localSource } from '@strata/host-local';
import { type Check, type CheckCode, controlHost } from '@strata/model';
import { postgresAnswers } from '@strata/store/postgres';
import { Checked, gatherFacts } from '@strata/tasks';
import { loadSettings, type Settings } from '../settings';
import { livingOwner } from '../supervisor/lock';
import { processOf } from '../supervisor/processes';
import type { Status } from '../supervisor/status';

const MiB = 2 ** 20;
const up = 'strata up';
const privateFiles = ['ca.key', 'ca.pem', 'order.key', 'plan-seal.key', 'master.key', 'box.key', 'bundle.key', 'admin.token'];

/**
 * What is wrong with a control host, from its files and processes alone: the server need not run, and nothing is started or changed.
 * The checks come in the order in which one breaks the next.
 */
export async function lookAtControlHost(home: string): Promise<Check[]> {
  const found: Check[] = [];
  const say = (code: CheckCode, title: string): Checked => new Checked(code, controlHost, title);
  const add = async (code: CheckCode, title: string, look: (c: Checked) => Promise<Check | null> | Check | null): Promise<void> => {
    const check = say(code, title);
    const seen = await Promise.resolve().then(() => look(check)).catch((e: Error) => check.unknown(e.message)); // prettier-ignore
    if (seen) found.push(seen);
  };
  await add('control.home', 'its home can be used', (c) => homeOf(c, home));
  if (found.some((c) => c.verdict === 'broken')) return found;
  let settings: Settings | null = null;
  await add('control.settings', 'its settings are right', (c) => {
    settings = settingsOf(home);
    return c.ok();
  });
  const status = statusOf(home);
  const alive = livingOwner(join(home, 'run/supervisor.pid'));
  await add('control.disk', 'its disk has space', (c) => space(c, home));
  await add('control.secrets', 'its keys are whole', (c) => secrets(c, home));
  await add('control.supervisor', 'its supervisor runs', (c) => supervisor(c, status, alive?.pid));
  if (settings === null) return found;
  await add('control.ports', 'its ports are its own', (c) => ports(c, settings!, status));
  await add('control.postgres', 'PostgreSQL answers', (c) => postgres(c, settings!, status));
  await add('control.redis', 'Redis runs', (c) => part(c, 'redis', { status, external: 'url' in settings!.redis }));
  await add('control.server', 'the server answers', (c) => server(c, settings!, status));
  await add('control.certificate', "the CA's certificate is good", (c) => certificate(c, home));
  return found;
}

const settingsOf = (home: string): Settings => loadSettings({}, ['--home', home]);
function statusOf(home: string): Status | null {
  try {
    return JSON.parse(readFileSync(join(home, 'run/status.json'), 'utf8')) as Status;
  } catch {
    return null;
  }
}

function homeOf(c: Checked, home: string): Check {
  const stat = statSync(home, { throwIfNoEntry: false });
  if (!stat) return c.broken({ cause: `${home} is not there: no control server was ever started in it`, remedy: `${up}, or name another with --home` });
  if (!stat.isDirectory()) return c.broken({ cause: `${home} is not a directory`, remedy: 'move it away, or name another with --home' });
  const me = process.getuid?.();
  if (me !== 0 && me !== stat.uid) return c.broken({ cause: `${home} belongs to another user (uid ${stat.uid}), and this is uid ${me ?? '?'}`, remedy: 'run this as that user, or as root' });
  if ((stat.mode & 0o001) === 0) return c.broken({ cause: `${home} has mode ${(stat.mode & 0o777).toString(8)}: PostgreSQL runs as an account of its own and cannot pass`, remedy: `chmod 711 ${home}, then ${up}` });
  return c.ok();
} // prettier-ignore

async function space(c: Checked, home: string): Promise<Check> {
  const s = await statfs(home);
  const free = s.bavail * s.bsize;
  const cause = `${Math.round(free / MiB)} MiB of ${Math.round((s.blocks * s.bsize) / MiB)} MiB are left on the disk of ${home}`;
  if (free < 64 * MiB || (s.files > 0 && s.ffree < 500)) return c.broken({ cause: s.ffree < 500 && s.files > 0 ? `only ${s.ffree} inodes are left on the disk of ${home}` : cause, remedy: `free space there; PostgreSQL stops on a full disk, and goes on by itself once there is space (else ${up})` });
  return free < 1024 * MiB ? c.warning({ cause, remedy: 'free space there before PostgreSQL stops' }) : c.ok();
} // prettier-ignore

async function secrets(c: Checked, home: string): Promise<Check> {
  const dir = join(home, 'secrets');
  if (!existsSync(dir)) return c.broken({ cause: `${dir} is missing`, remedy: 'restore it from a backup: without it every node is locked out' });
  for (const name of privateFiles) {
    const path = join(dir, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) return c.broken({ cause: `${path} is missing`, remedy: name === 'admin.token' ? `${up} makes a new one` : 'restore it from a backup; a new key would lock out every node' });
    if (name !== 'ca.pem' && (stat.mode & 0o077) !== 0) return c.broken({ cause: `${path} may be read by others (mode ${(stat.mode & 0o777).toString(8)}), so the server refuses to start`, remedy: `chmod 600 ${path}, and think of it as known to them` });
    const text = await readFile(path).catch((e: Error) => e);
    if (text instanceof Error) return c.broken({ cause: `${path} cannot be read: ${text.message}`, remedy: 'restore its owner and mode' });
    if (text.length === 0) return c.broken({ cause: `${path} is empty`, remedy: 'restore it from a backup' });
  }
  return c.ok();
} // prettier-ignore

function supervisor(c: Checked, status: Status | null, pid: number | undefined): Check {
  if (pid !== undefined) return c.ok(`process ${pid}`);
  if (status === null) return c.broken({ cause: 'it was never started here', remedy: up });
  if (status.supervisor.state === 'stopped') return c.broken({ cause: 'the control server was stopped', remedy: up });
  const left = Object.entries(status.parts).flatMap(([name, p]) => (p.pid !== null && processOf(p.pid) ? [name] : []));
  const rest = left.length > 0 ? ` ${left.join(', ')} may still run, but nobody starts them again when they end.` : '';
  return c.broken({ cause: `the supervisor (process ${status.supervisor.pid}) is dead: it was killed, or this host was booted.${rest}`, remedy: `${up} (it takes over what still runs)` });
} // prettier-ignore

/** Somebody else on a port of ours: then the server cannot start. */
async function ports(c: Checked, settings: Settings, status: Status | null): Promise<Check> {
  const { listeners } = await gatherFacts(localSource, 'listeners');
  const ours = status?.parts.server.pid ?? null;
  const taken = Object.values(settings.listen).flatMap(({ port }) => {
    const holder = listeners.find((l) => l.proto === 'tcp' && l.port === port && port !== 0);
    return holder && holder.pid !== ours && !isOurServer(holder.pid, settings.home) ? [`port ${port} is held by ${holder.process ?? 'another process'}${holder.pid === null ? '' : ` (process ${holder.pid}${holder.unit === null ? '' : `, ${holder.unit}`})`}`] : [];
  });
  if (taken.length === 0) return c.ok();
  return c.broken({ cause: taken.join('; '), remedy: `end it, or choose another port in ${join(settings.home, 'server.yaml')}, then ${up}` });
} // prettier-ignore
function isOurServer(pid: number | null, home: string): boolean {
  try {
    return pid !== null && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(home);
  } catch {
    return false;
  }
}

function part(c: Checked, name: 'postgres' | 'redis' | 'server', at: { status: Status | null; external: boolean }): Check {
  const p = at.status?.parts[name];
  if (at.external) return c.ok('somebody else runs it');
  if (!p) return c.unknown('the supervisor has not said anything yet');
  if (p.pid !== null && processOf(p.pid) && p.state === 'running') return c.ok(`process ${p.pid}`);
  const last = p.lastExit ? `: ${p.lastExit.because}` : '';
  const state = p.pid !== null && !processOf(p.pid) ? `its process ${p.pid} is gone` : `it is ${p.state}`;
  return c.broken({ cause: `${state}${last}`.slice(0, 600), remedy: `mend what it says in logs/${name}.log; the supervisor starts it again by itself, else ${up}` });
} // prettier-ignore

async function postgres(c: Checked, settings: Settings, status: Status | null): Promise<Check> {
  if (await postgresAnswers(settings.database)) return c.ok();
  if ('url' in settings.database) return c.broken({ cause: 'the PostgreSQL of databaseUrl does not answer', remedy: 'see whether it runs, and whether this host reaches it' });
  const said = part(c, 'postgres', { status, external: false });
  return said.verdict === 'broken' ? said : c.broken({ cause: 'its process runs but takes no connection', remedy: `see ${join(settings.home, 'logs/postgres.log')}` });
} // prettier-ignore

/** Asked as any client would: over TLS, with the CA pinned. */
async function server(c: Checked, settings: Settings, status: Status | null): Promise<Check> {
  const log = join(settings.home, 'logs/server.log');
  let port = settings.listen.api.port;
  try {
    port = (JSON.parse(await readFile(join(settings.home, 'run/ports.json'), 'utf8')) as { api: number }).api;
  } catch {
    const said = part(c, 'server', { status, external: false });
    if (said.verdict === 'broken') return said;
    return c.broken({ cause: 'it has not said on which port it listens', remedy: `see ${log}` });
  }
  const ca = await readFile(join(settings.home, 'secrets/ca.pem'), 'utf8');
  const answer = await ask(port, ca);
  if ('status' in answer) return answer.status === 200 ? c.ok(`port ${port}`) : c.broken({ cause: `it is not ready: ${answer.body.slice(0, 300)}`, remedy: `see ${log}` });
  const said = part(c, 'server', { status, external: false });
  if (said.verdict === 'broken') return said;
  return c.broken({ cause: `https://127.0.0.1:${port} does not answer: ${answer.error}`, remedy: `see ${log}` });
} // prettier-ignore
function ask(port: number, ca: string): Promise<{ status: number; body: string } | { error: string }> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path: '/readyz', ca, agent: false, timeout: 5_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer in 5 s')));
    sent.once('error', (e) => resolve({ error: e.message })).end();
  });
}

async function certificate(c: Checked, home: string): Promise<Check> {
  const pem = await readFile(join(home, 'secrets/ca.pem'), 'utf8');
  const { validFromDate, validToDate } = new X509Certificate(pem);
  const now = Date.now();
  if (now < validFromDate.getTime()) return c.broken({ cause: `it is not good before ${validFromDate.toISOString()}: the clock of this host (${new Date(now).toISOString()}) is wrong`, remedy: 'set the clock' });
  if (now > validToDate.getTime()) return c.broken({ cause: `it has expired on ${validToDate.toISOString()}`, remedy: 'is the clock of this host right? Else the nodes have to be joined anew' });
  return c.ok();
} // prettier-ignore
