import type { Check } from '@strata/model';
import { driftOf, readWritten, type Written } from '../changes';
import { flannelDaemonSet } from '../orchestration/flannel-objects';
import type { Host } from '../ports/host';
import { runtimePaths } from '../runtime-place';
import { Checked, type Looking } from './check';

const most = 10;
const some = (paths: readonly string[]): string => `${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ` and ${paths.length - 3} more` : ''}`;
const flannelConf = '10-flannel.conflist';

/** Whether the files and units that Strata wrote here are as it wrote them: what is gone or edited breaks at the next start, if not yet now. */
export async function ownFiles({ host, where }: Looking): Promise<Check> {
  const check = new Checked('node.files', where, 'what Strata wrote is as it was written');
  const written = await readWritten(host);
  const { missing, changed } = await driftOf(host, written);
  const network = await networkConf(host);
  const units = await troubledUnits(host, written);
  const broken = [
    ...(missing.length > 0 ? [`${some(missing)} ${missing.length === 1 ? 'is' : 'are'} missing`] : []),
    ...(network === null ? [] : [`${network} is missing: new pods get no network`]),
    ...units,
  ];
  const edited = changed.length > 0 ? `${some(changed)} ${changed.length === 1 ? 'was' : 'were'} changed since Strata wrote it` : '';
  const remedy = [
    ...(missing.length + changed.length + units.length > 0 ? ['`strata plan` shows what differs from the spec, and `strata apply` restores it'] : []),
    ...(network === null ? [] : [`strata kubectl -- -n ${flannelDaemonSet.namespace} delete pod --field-selector spec.nodeName=${where}: its pod writes ${network} when it starts`]),
  ].join('; ');
  const evidence = [...missing.map((p) => `missing: ${p}`), ...changed.map((p) => `changed: ${p}`)];
  const found = { cause: [...broken, edited].filter(Boolean).join('; '), remedy, evidence: evidence.length > 3 ? evidence.slice(0, most) : [] };
  if (broken.length > 0) return check.broken(found);
  return edited === '' ? check.ok(`${Object.keys(written).length} files`) : check.warning(found);
} // prettier-ignore

/** The network's configuration that flannel's pod wrote, if it was here and is gone. */
async function networkConf(host: Host): Promise<string | null> {
  if ((await host.files.stat('/run/flannel/subnet.env')) === null && (await host.files.stat('/var/lib/flannel/subnet.env')) === null) return null;
  const beside = (await host.files.stat(runtimePaths.beside.cniConf)) !== null;
  const path = `${runtimePaths[beside ? 'beside' : 'own'].cniConf}/${flannelConf}`;
  return (await host.files.stat(path)) === null ? path : null;
}

/** Units of ours that other checks do not look at: a timer that does not run, a service that failed. */
async function troubledUnits(host: Host, written: Written): Promise<string[]> {
  const covered = /^(kubelet|containerd|strata-containerd|k3s|k3s-agent|stratad)\.service$/;
  const found: string[] = [];
  for (const path of Object.keys(written)) {
    const unit = /^\/etc\/systemd\/system\/([^/]+\.(?:service|timer))$/.exec(path)?.[1];
    if (unit === undefined || covered.test(unit)) continue;
    const state = await host.units.state(unit);
    if (state.load === 'masked' || state.enabled === 'masked') found.push(`${unit} is masked`);
    else if (state.active === 'failed' || (unit.endsWith('.timer') && state.active !== 'active')) found.push(`${unit} is ${state.active}`);
  }
  return found;
}
