import { ArchiveArtifact, type Finding, ImageRef, MirrorUrl, ProxyInput, RegistryHost, Version } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { strataMark } from '../facts/software';
import { FolderBefore, folderBefore, restoreFolder } from '../orchestration/own-folder';
import type { Host } from '../ports/host';
import { type RuntimePaths, RuntimePlace, runtimePaths, servesKubernetes } from '../runtime-place';
import { until } from '../wait';
import { differing, FileImages, imagesOf, restoreAll, writeAll, type WrittenFile } from '../orchestration/written-files';
import { binaries, configText, type ContainerdSettings, crictlFile, crictlText, unitText } from './containerd-files';
import { type ContainerdOutside, leftOutside, outsideFiles, proxyDropIn } from './containerd-outside';
import { blocker, info } from './findings';
import { foreignRuntimes, refusal } from './foreign-runtime';

/** What containerd itself makes and fills. */
const dataFolders = (place: RuntimePlace): string[] => {
  const p = runtimePaths[place];
  return [p.registries, p.data, p.state, p.nri, p.opt, p.cniConf, '/etc/cni', ...(place === 'beside' ? ['/run/strata', '/etc/strata/containerd'] : [])];
};
const binaryPaths = (p: RuntimePaths): string[] => binaries.map((name) => `${p.binaries}/${name}`);
type Settings = ContainerdSettings & ContainerdOutside;
const ctrOf = (p: RuntimePaths): [string, ...string[]] => [p.ctr, '--address', p.socket];

/** crictl's settings are the whole machine's: where a runtime of somebody else is, theirs stay. */
async function files(host: Host, s: Settings): Promise<WrittenFile[]> {
  const p = runtimePaths[s.place];
  const theirs = s.place === 'beside' && !((await host.files.read(crictlFile)) ?? strataMark).includes(strataMark);
  return [
    { path: p.config, content: configText(s) },
    { path: p.unitFile, content: unitText(s) },
    ...(theirs ? [] : [{ path: crictlFile, content: crictlText(s.place) }]),
    ...outsideFiles(s),
  ];
}

/** What is not as wanted, or null. */
async function lacking(host: Host, s: Settings): Promise<string | null> {
  const p = runtimePaths[s.place];
  for (const path of binaryPaths(p)) if ((await host.files.stat(path))?.mode !== 0o755) return `${path} is missing`;
  const words = await differing(host, await files(host, s));
  if (words !== null) return words;
  const [left] = await leftOutside(host, s);
  if (left !== undefined) return `${left} is not in the spec any more`;
  if (s.place === 'beside' && (await host.files.stat(p.cniConf)) === null) return `${p.cniConf} is missing`;
  const state = await host.units.state(p.unit);
  if (state.active !== 'active') return `${p.unit} is ${state.active}`;
  return state.enabled === 'enabled' ? null : `${p.unit} does not start with the machine`;
}

/** What came between the plan and now: nothing of somebody else is ever overwritten, and nothing is used that is not there. */
async function moved(host: Host, place: RuntimePlace): Promise<Finding[]> {
  const found = await foreignRuntimes(host);
  const again = 'apply again: the plan is then made for the machine as it is now';
  if (place === 'adopted' && !found.some(servesKubernetes))
    return [blocker('runtime.gone', 'the containerd that was to be used does not serve Kubernetes any more', again)];
  const inTheWay = place === 'own' ? found.filter((r) => r.unit === runtimePaths.own.unit || r.socket === runtimePaths.own.socket) : [];
  return inTheWay.map((r) => blocker('runtime.appeared', `${r.words} is here since the plan was made`, again));
}

export const containerdInstall = defineTask({
  name: 'containerd.install', version: 1, layer: 'native', timeout: '10m', attempts: 3,
  title: 'containerd runs',
  input: z.strictObject({
    archive: ArchiveArtifact,
    version: Version,
    pauseImage: ImageRef,
    restrictOomScore: z.boolean(), // true where nothing may lower oom_score_adj
    systemdCgroup: z.boolean(),
    foreign: z.enum(['refuse', 'adopt']).default('refuse'),
    place: RuntimePlace.default('own'),
    proxy: ProxyInput.default(null),
    mirrors: z.record(RegistryHost, z.array(MirrorUrl)).default({}),
  }),
  before: z.strictObject({
    images: FileImages, folders: z.record(z.string(), FolderBefore), active: z.boolean(), enabled: z.boolean(),
    place: RuntimePlace.default('own'),
  }),
  output: z.strictObject({ socket: z.string() }),
  async check({ host, input }) {
    const { place } = input;
    const p = runtimePaths[place];
    const refusals = await refusal(host, input.foreign);
    const findings = refusals.length > 0 ? refusals : await moved(host, place);
    if (findings.length > 0) return { state: 'refused', findings };
    if (place === 'adopted') {
      const adopted = (await foreignRuntimes(host)).find(servesKubernetes);
      return { state: 'satisfied', output: { socket: p.socket }, findings: [info('runtime.adopted', `${adopted?.words ?? ''} is used as it is`)] };
    }
    const reason = await lacking(host, input);
    if (reason === null) return { state: 'satisfied', output: { socket: p.socket } };
    const folders: Record<string, FolderBefore> = {};
    for (const folder of dataFolders(place)) folders[folder] = await folderBefore(host, folder);
    const state = await host.units.state(p.unit);
    const written = [...(await files(host, input)).map((f) => f.path), proxyDropIn(place), ...(await leftOutside(host, input))];
    const images = await imagesOf(host, [...new Set([...binaryPaths(p), ...written])]);
    return { state: 'unsatisfied', reason, before: { images, folders, active: state.active === 'active', enabled: state.enabled === 'enabled', place } };
  },
  async apply({ host, input }) {
    const p = runtimePaths[input.place];
    await host.files.unpack(input.archive, Object.fromEntries(binaries.map((name) => [`bin/${name}`, `${p.binaries}/${name}`])), { mode: 0o755 });
    await writeAll(host, await files(host, input));
    for (const path of await leftOutside(host, input)) await host.files.remove(path);
    if (input.place === 'beside') await host.files.mkdir(p.cniConf);
    await host.units.daemonReload();
    await host.units.enable(p.unit);
  },
  async verify({ host, input, clock, signal }) {
    const p = runtimePaths[input.place];
    await host.units.daemonReload();
    await host.units.restart(p.unit); // containers go on running: KillMode=process
    let said = 'nothing';
    await until(clock, { what: 'containerd to answer', timeoutMs: 60_000, everyMs: 200, signal, note: () => said, remedy: `read \`journalctl -u ${p.unit}\` on this machine, then retry the step` }, async () => {
      const answer = await host.programs.run([...ctrOf(p), 'version'], { timeoutMs: 10_000 });
      said = answer.stderr.trim().split('\n').at(-1) ?? '';
      return answer.code === 0 ? true : null;
    });
  },
  async undo({ host, before, log }) {
    const p = runtimePaths[before.place];
    const state = await host.units.state(p.unit);
    if (state.load !== 'not-found') {
      if (state.active === 'active') await endTasks(host, { ctr: ctrOf(p), log });
      await endWithAll(host, p.unitFile);
      await host.units.stop(p.unit);
      if (!before.enabled) await host.units.disable(p.unit);
    }
    for (const [folder, was] of Object.entries(before.folders)) await restoreFolder(host, folder, was);
    await restoreAll(host, before.images); // and the folders above them that are empty now
    await host.units.daemonReload();
    if (before.enabled) await host.units.enable(p.unit);
    if (before.active) await host.units.start(p.unit);
  },
}); // prettier-ignore

/** Containers outlive containerd; what still runs when it goes for good must end with it. */
async function endTasks(host: Host, { ctr, log }: { ctr: [string, ...string[]]; log: (line: string) => void }): Promise<void> {
  const inCluster = [...ctr, '-n', 'k8s.io'] as const;
  const { stdout } = await host.programs.run([...inCluster, 'tasks', 'list', '-q']);
  const ids = stdout.split('\n').filter((id) => /^\S+$/.test(id));
  if (ids.length > 0) log(`ending ${ids.length} containers`);
  for (const id of ids) await host.programs.run([...inCluster, 'tasks', 'delete', '--force', id]); // one that ended meanwhile is fine
}

/** Lets the unit's stop end every process in it: a shim of a container that was begun while the last ones were ended is in no list. */
async function endWithAll(host: Host, unitFile: string): Promise<void> {
  const text = (await host.files.read(unitFile)) ?? '';
  if (!text.startsWith('# Written by Strata')) return;
  await host.files.write(unitFile, text.replace('KillMode=process', 'KillMode=control-group'));
  await host.units.daemonReload();
}
