import { DataDir } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FolderBefore, folderBefore, restoreFolder } from '../orchestration/own-folder';
import { kubernetesPaths } from '../orchestration/kubernetes-paths';
import { differing, FileImages, imagesOf, restoreAll, writeAll, type WrittenFile } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { runtimePaths } from '../runtime-place';
import { endUnits } from '../service-units';
import { blocker, info } from './findings';

const k3sUnits = ['k3s.service', 'k3s-agent.service'];
/** What grows, where its programs look for it, and which of them must never start without it. */
const places = {
  containerd: { path: runtimePaths.own.data, units: [runtimePaths.own.unit] },
  'containerd-beside': { path: runtimePaths.beside.data, units: [runtimePaths.beside.unit] },
  kubelet: { path: kubernetesPaths.kubeletFolder, units: ['kubelet.service', ...k3sUnits] },
  etcd: { path: kubernetesPaths.etcd, units: ['kubelet.service'] },
  rancher: { path: '/var/lib/rancher', units: k3sUnits },
} as const;
const Kind = z.enum(Object.keys(places) as [keyof typeof places, ...(keyof typeof places)[]]);
const Input = z.strictObject({ dataDir: DataDir, kinds: z.array(Kind) });
type Input = z.infer<typeof Input>;

interface Place {
  path: string;
  /** Where it really is. */
  data: string;
  unit: string;
  file: WrittenFile;
}
/** A bind mount is enough: every program, check and undo goes on using the place that everybody knows. */
function placeOf(dataDir: string, kind: keyof typeof places): Place {
  const { path, units } = places[kind];
  const data = `${dataDir}/${kind}`;
  const unit = `${path.slice(1).replaceAll('/', '-')}.mount`; // the name that systemd wants; no path here has a sign to escape
  const content = `# Written by Strata
[Unit]
Description=${path}, on the disk for data
RequiresMountsFor=${data}
Before=${units.join(' ')}

[Mount]
What=${data}
Where=${path}
Type=none
Options=bind

[Install]
WantedBy=multi-user.target
RequiredBy=${units.join(' ')}
`;
  return { path, data, unit, file: { path: `/etc/systemd/system/${unit}`, content } };
}

/** Places that are not as wanted, those that are a file system of their own already and are left alone, and those whose data nobody may hide. */
async function sort(host: Host, input: Input): Promise<{ wrong: { place: Place; why: string }[]; own: Place[]; held: string[] }> {
  const mounted = (await host.mounts.list()).map((m) => m.path);
  const found: Awaited<ReturnType<typeof sort>> = { wrong: [], own: [], held: [] };
  for (const kind of input.kinds) {
    const place = placeOf(input.dataDir, kind);
    const there = await host.files.read(place.file.path);
    if (there === null && mounted.includes(place.path)) found.own.push(place);
    else if (there === null && (await host.files.stat(place.path)) !== null && (await host.files.list(place.path)).length > 0) found.held.push(`${place.path} holds data already`);
    else if (there !== null && !there.includes(`What=${place.data}\n`)) found.held.push(`${place.path} is at ${/^What=(.*)$/m.exec(there)?.[1] ?? 'another place'} already`);
    else {
      const state = await host.units.state(place.unit);
      const words = (await differing(host, [place.file])) ?? (state.active === 'active' && state.enabled === 'enabled' ? null : `${place.path} is not mounted`);
      if (words !== null) found.wrong.push({ place, why: words });
    }
  }
  return found;
} // prettier-ignore

/** Images, pods and etcd on the disk that the spec names, behind the places where everybody looks for them. */
export const dataPlace = defineTask({
  name: 'data.place', version: 1, layer: 'native', timeout: '2m', attempts: 3,
  title: 'Data that grows is on the disk for it',
  input: Input,
  before: z.strictObject({ images: FileImages, folders: z.record(z.string(), FolderBefore), points: FileImages, units: z.array(z.string()) }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const { wrong, own, held } = await sort(host, input);
    if (held.length > 0)
      return { state: 'refused', findings: [blocker('data.held', `${held.join('; ')}: it would be hidden, not moved`, 'take the node out of its cluster (or move that away) before `native.dataDir` is set or changed, or leave it as it was')] };
    const findings = own.map((p) => info('data.own', `${p.path} is a file system of its own and stays where it is`));
    if (wrong.length === 0) return { state: 'satisfied', output: {}, findings };
    const all = wrong.map((w) => w.place);
    const folders: Record<string, FolderBefore> = {};
    for (const { data } of all) folders[data] = await folderBefore(host, data);
    const points = await imagesOf(host, all.flatMap((p) => [p.data, p.path])); // prettier-ignore
    const images = await imagesOf(host, all.map((p) => p.file.path)); // prettier-ignore
    return { state: 'unsatisfied', reason: wrong.map((w) => w.why).join(', '), before: { images, folders, points, units: all.map((p) => p.unit) }, findings };
  },
  async apply({ host, input }) {
    const wrong = (await sort(host, input)).wrong.map((w) => w.place);
    for (const { data, path } of wrong) {
      await host.files.mkdir(data);
      if ((await host.files.stat(path)) === null) await host.files.mkdir(path);
    }
    await writeAll(host, wrong.map((p) => p.file)); // prettier-ignore
    await host.units.daemonReload();
    for (const { unit } of wrong) await host.units.enable(unit);
  },
  async verify({ host, before }) {
    await host.units.daemonReload();
    for (const unit of before.units) await host.units.start(unit);
  },
  async undo({ host, before }) {
    await endUnits(host, before.units);
    await restoreAll(host, before.images);
    await host.units.daemonReload();
    for (const [folder, was] of Object.entries(before.folders)) await restoreFolder(host, folder, was);
    await restoreAll(host, before.points); // and the folders above them that are empty now
  },
}); // prettier-ignore
