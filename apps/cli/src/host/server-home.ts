import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** Where a control server of this host keeps everything, unless `--home` or STRATA_HOME say otherwise. */
export const defaultHome = '/var/lib/strata-server';
export const homeOf = (flag: string | undefined, env: Readonly<Record<string, string | undefined>>): string => flag ?? env.STRATA_HOME ?? defaultHome;

export const files = (home: string): Record<'ports' | 'status' | 'token' | 'ca' | 'log', string> => ({
  ports: join(home, 'run/ports.json'),
  status: join(home, 'run/status.json'),
  token: join(home, 'secrets/admin.token'),
  ca: join(home, 'secrets/ca.pem'),
  log: join(home, 'logs/supervisor.log'),
});

const Ports = z.object({ api: z.int() });
const Part = z.object({ state: z.string(), lastExit: z.object({ because: z.string() }).nullish() });
const Status = z.object({ supervisor: z.object({ pid: z.int(), state: z.string() }), parts: z.record(z.string(), Part).default({}) });
export type ServerStatus = z.infer<typeof Status>;

const readJson = <T>(path: string, schema: z.ZodType<T>): T | null => {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null; // not there yet, or being written by an older or newer server
  }
};
export const readPorts = (home: string): { api: number } | null => readJson(files(home).ports, Ports);
/** The supervisor's own word; null when there is none. */
export const readStatus = (home: string): ServerStatus | null => readJson(files(home).status, Status);

/** The process of the supervisor of this home, if it lives: a number alone may belong to anybody by now. */
export function livingSupervisor(home: string): number | null {
  const pid = readStatus(home)?.supervisor.pid;
  if (pid === undefined) return null;
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return argv.includes('supervise') ? pid : null;
  } catch {
    return null;
  }
}

/** Why nothing would start the parts of this host's control server again; null when its supervisor lives, was stopped in order, or was never here. */
export function supervisorTrouble(home: string): string | null {
  const said = readStatus(home);
  if (said === null || said.supervisor.state !== 'running' || livingSupervisor(home) !== null) return null;
  return `the supervisor of the control server in ${home} (process ${said.supervisor.pid}) is dead: nothing starts server, PostgreSQL and Redis again when they end`;
}
