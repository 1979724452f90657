import { MemoryHost, said, simulatedClock } from '../testing';
import { renewCertificates, type UpkeepContext } from './renew-certificates';

const day = 86_400_000;
const parts = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];
const marker = '/etc/kubernetes/strata/renewing';

/** A control plane whose first certificate ends in so many days. `stuck`: kubelet does not start this part again. */
function controlPlane(daysLeft: number, stuck = ''): UpkeepContext & { host: MemoryHost; said: string[]; renewals: () => number; started: string[] } {
  const host = new MemoryHost();
  const clock = simulatedClock();
  const [lines, started]: [string[], string[]] = [[], []];
  let renewals = 0;
  const pods = new Map(parts.map((part) => [part, `${part}-1`]));
  const ends = (days: number): string => new Date(clock.now() + days * day).toISOString();
  host.program('kubeadm', (argv) => {
    if (argv.includes('renew')) return (renewals++, said());
    return said(JSON.stringify({ certificates: [{ name: 'etcd-server', expirationDate: ends(400) }, { name: 'apiserver', expirationDate: ends(daysLeft) }] }));
  });
  host.program('kubectl', () => said('ok'));
  host.program('ctr', (argv) => {
    if (argv.includes('kill')) {
      const part = argv.at(-1)!.replace(/-\d+$/, '');
      started.push(part);
      if (part === stuck) pods.delete(part);
      else pods.set(part, `${part}-2`);
      return said();
    }
    if (argv.includes('tasks')) return said(`TASK PID STATUS\n${[...pods.values()].map((id) => `${id} 1 RUNNING\n`).join('')}gone-1 2 STOPPED\n`);
    const part = parts.find((p) => argv.at(-1)!.includes(`"${p}"`)) ?? '';
    return said(`${pods.get(part) ?? ''}\ngone-1\n`);
  });
  const context = { host, clock, signal: new AbortController().signal, log: (line: string) => void lines.push(line) };
  return { ...context, said: lines, renewals: () => renewals, started };
} // prettier-ignore

test('good certificates are left alone', async () => {
  const here = controlPlane(200);
  expect(await renewCertificates(here, { now: false })).toEqual({ renewed: false });
  expect([here.renewals(), here.started, here.said]).toEqual([0, [], ['the certificates are good: the first to end is apiserver, in 200 days']]);
});
test.each([[100, false], [300, true], [-3, false]])('%i days left, asked to do it now: %s: all are renewed, and each part starts anew after the one it needs', async (days, now) => {
  const here = controlPlane(days);
  expect(await renewCertificates(here, { now })).toEqual({ renewed: true });
  expect([here.renewals(), here.started]).toEqual([1, parts]);
  expect(await here.host.files.read(marker)).toBeNull();
}); // prettier-ignore
test('cut off between renewal and the last start: the next look does the rest', async () => {
  const here = controlPlane(100, 'kube-scheduler');
  await expect(renewCertificates(here, { now: false })).rejects.toThrow(/waited 180 s for kube-scheduler to run anew/);
  const again = controlPlane(364);
  await again.host.files.write(marker, '');
  expect(await renewCertificates(again, { now: false })).toEqual({ renewed: true });
  expect(again.started).toEqual(parts);
});
