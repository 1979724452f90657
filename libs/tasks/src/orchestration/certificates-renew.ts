import type { Finding } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { warning } from '../native/findings';
import type { Host } from '../ports/host';
import { kubernetesPaths as paths } from './kubernetes-paths';
import { endTimer, startTimer, timerFiles, TimerFolders, timerFolders, timerTrouble } from './timer-units';
import { differing, FileImages, imagesOf, restoreAll, writeAll, type WrittenFile } from './written-files';

const name = 'strata-renew-certificates';
/** Where `agent.install` puts the agent: the first of these that lets programs run. */
const agents = ['/usr/local/bin/stratad', '/opt/strata/bin/stratad'] as const;

async function filesFor(host: Host): Promise<WrittenFile[]> {
  const second = (await host.files.stat(agents[0])) === null && (await host.files.stat(agents[1])) !== null;
  return timerFiles({
    name,
    what: 'Renewal of the certificates of Kubernetes',
    after: 'kubelet.service',
    calendar: 'weekly',
    delay: '6h',
    programs: [`${second ? agents[1] : agents[0]} renew-certificates`],
  });
}
async function wrong(host: Host): Promise<string | null> {
  return (await differing(host, await filesFor(host))) ?? timerTrouble(host, name, 'the last look at the certificates failed');
}

/** kubeadm turns it on; somebody may have turned it off. */
async function ownRotation(host: Host): Promise<Finding[]> {
  if (!/^rotateCertificates: false$/m.test((await host.files.read(paths.kubeletConfig)) ?? '')) return [];
  return [
    warning(
      'kubelet.no-rotation',
      `kubelet does not renew its own certificate: ${paths.kubeletConfig} says so`,
      'set rotateCertificates: true there and restart kubelet',
    ),
  ];
}

/**
 * The certificates of the control plane are renewed once less than a third of their year is left, by the agent, which looks every week;
 * kubelet renews its own by itself. The CA is never made anew.
 */
export const certificatesRenew = defineTask({
  name: 'certificates.renew', version: 1, layer: 'orchestration', timeout: '5m', attempts: 3,
  title: 'The certificates of Kubernetes are renewed by a timer',
  input: z.strictObject({}),
  before: z.strictObject({ images: FileImages, timers: TimerFolders.default([]) }),
  output: z.strictObject({}),
  async check({ host }) {
    const reason = await wrong(host);
    if (reason === null) return { state: 'satisfied', output: {}, findings: await ownRotation(host) };
    const images = await imagesOf(host, (await filesFor(host)).map((f) => f.path));
    return { state: 'unsatisfied', reason, before: { images, timers: await timerFolders(host) } };
  },
  async apply({ host }) {
    await writeAll(host, await filesFor(host));
  },
  /** It looks once now, by the unit that the timer starts. */
  async verify({ host }) {
    await startTimer(host, name, { code: 'renewal-failed', message: 'the certificates could not be looked at' });
  },
  async undo({ host, before }) {
    await endTimer(host, name, before.timers);
    await restoreAll(host, before.images);
    await host.units.daemonReload();
  },
}); // prettier-ignore
