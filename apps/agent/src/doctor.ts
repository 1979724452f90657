import { hostname } from 'node:os';
import { localHost } from '@strata/host-local';
import { diagnosisText, isHealthy, rootCauseFirst } from '@strata/model';
import { lookAtNode } from '@strata/tasks';
import { readConfig } from './config';
import type { Paths } from './paths';

/** `stratad doctor`: what is wrong with this machine, told without any server. Gives the exit code. */
export async function doctor(paths: Paths, o: { json: boolean; all: boolean; out: (text: string) => void }): Promise<number> {
  const where = await readConfig(paths).then((c) => c.nodeName, () => hostname()); // prettier-ignore
  const checks = rootCauseFirst(await lookAtNode({ host: localHost({ stateDir: paths.state }), where, serverNow: () => null }));
  o.out(o.json ? JSON.stringify({ checks }, null, 2) : diagnosisText(checks, { all: o.all }));
  return isHealthy(checks) ? 0 : 1;
}
