import { ArchiveArtifact, ImageRef, Version } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FolderBefore, folderBefore, restoreFolder } from '../orchestration/own-folder';
import type { Host } from '../ports/host';
import { until } from '../wait';
import { differing, FileImages, imagesOf, restoreAll, writeAll, type WrittenFile } from '../orchestration/written-files';
import {
  binaries,
  binaryFolder,
  configFile,
  configText,
  type ContainerdSettings,
  crictlFile,
  crictlText,
  socket,
  unitFile,
  unitText,
} from './containerd-files';
import { info } from './findings';
import { foreignRuntimes, refusal } from './foreign-runtime';

const unit = 'containerd.service';
/** What containerd itself makes and fills. */
const dataFolders = ['/var/lib/containerd', '/run/containerd', '/run/nri', '/opt/containerd', '/etc/cni/net.d', '/etc/cni'];
const binaryPaths = binaries.map((name) => `${binaryFolder}/${name}`);
const files = (s: ContainerdSettings): WrittenFile[] => [
  { path: configFile, content: configText(s) },
  { path: unitFile, content: unitText(s) },
  { path: crictlFile, content: crictlText },
];

/** What is not as wanted, or null. */
async function lacking(host: Host, s: ContainerdSettings): Promise<string | null> {
  for (const path of binaryPaths) if ((await host.files.stat(path))?.mode !== 0o755) return `${path} is missing`;
  const words = await differing(host, files(s));
  if (words !== null) return words;
  const state = await host.units.state(unit);
  if (state.active !== 'active') return `${unit} is ${state.active}`;
  return state.enabled === 'enabled' ? null : `${unit} does not start with the machine`;
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
  }),
  before: z.strictObject({ images: FileImages, folders: z.record(z.string(), FolderBefore), active: z.boolean(), enabled: z.boolean() }),
  output: z.strictObject({ socket: z.string() }),
  async check({ host, input }) {
    const findings = await refusal(host, input.foreign);
    if (findings.length > 0) return { state: 'refused', findings };
    const adopted = (await foreignRuntimes(host)).find((r) => r.kind === 'containerd');
    if (adopted) return { state: 'satisfied', output: { socket: adopted.socket ?? socket }, findings: [info('runtime.adopted', `${adopted.words} is used as it is`)] };
    const reason = await lacking(host, input);
    if (reason === null) return { state: 'satisfied', output: { socket } };
    const folders: Record<string, FolderBefore> = {};
    for (const folder of dataFolders) folders[folder] = await folderBefore(host, folder);
    const state = await host.units.state(unit);
    const images = await imagesOf(host, [...binaryPaths, ...files(input).map((f) => f.path)]);
    return { state: 'unsatisfied', reason, before: { images, folders, active: state.active === 'active', enabled: state.enabled === 'enabled' } };
  },
  async apply({ host, input }) {
    await host.files.unpack(input.archive, Object.fromEntries(binaries.map((name) => [`bin/${name}`, `${binaryFolder}/${name}`])), { mode: 0o755 });
    await writeAll(host, files(input));
    await host.units.daemonReload();
    await host.units.enable(unit);
  },
  async verify({ host, clock, signal }) {
    await host.units.daemonReload();
    await host.units.restart(unit); // containers go on running: KillMode=process
    let said = 'nothing';
    await until(clock, { what: 'containerd to answer', timeoutMs: 60_000, everyMs: 200, signal, note: () => said, remedy: 'read `journalctl -u containerd` on this machine, then retry the step' }, async () => {
      const answer = await host.programs.run([`${binaryFolder}/ctr`, 'version'], { timeoutMs: 10_000 });
      said = answer.stderr.trim().split('\n').at(-1) ?? '';
      return answer.code === 0 ? true : null;
    });
  },
  async undo({ host, before, log }) {
    const state = await host.units.state(unit);
    if (state.load !== 'not-found') {
      if (state.active === 'active') await endTasks(host, log);
      await host.units.stop(unit);
      if (!before.enabled) await host.units.disable(unit);
    }
    await restoreAll(host, before.images);
    await host.units.daemonReload();
    for (const [folder, was] of Object.entries(before.folders)) await restoreFolder(host, folder, was);
    if (before.enabled) await host.units.enable(unit);
    if (before.active) await host.units.start(unit);
  },
}); // prettier-ignore

/** Containers outlive containerd; what still runs when it goes for good must end with it. */
async function endTasks(host: Host, log: (line: string) => void): Promise<void> {
  const ctr = [`${binaryFolder}/ctr`, '-n', 'k8s.io'] as const;
  const { stdout } = await host.programs.run([...ctr, 'tasks', 'list', '-q']);
  const ids = stdout.split('\n').filter((id) => /^\S+$/.test(id));
  if (ids.length > 0) log(`ending ${ids.length} containers`);
  for (const id of ids) await host.programs.run([...ctr, 'tasks', 'delete', '--force', id]); // one that ended meanwhile is fine
}
