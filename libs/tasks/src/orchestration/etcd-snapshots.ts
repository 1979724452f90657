import { FileArtifact } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { binaryFolder, kubernetesPaths as paths } from './kubernetes-paths';
import { FolderBefore, folderBefore, restoreFolder } from './own-folder';
import { endTimer, startTimer, timerFiles, TimerFolders, timerFolders, timerTrouble } from './timer-units';
import { differing, FileImages, imagesOf, restoreAll, writeAll } from './written-files';

/** Root's alone: a snapshot is the whole cluster, its secrets included. */
export const snapshotFolder = '/var/lib/etcd-snapshots';
const kept = 5;
const slot = (n: number): string => `${snapshotFolder}/snapshot-${n}.db`;
const next = `${snapshotFolder}/next.db`;
const newest = slot(1);
const [etcdctl, etcdutl] = [`${binaryFolder}/etcdctl`, `${binaryFolder}/etcdutl`];
const client = `${paths.pki}/etcd/healthcheck-client`;
const name = 'strata-etcd-snapshot';

/** Saved, looked at, and only then moved to the front: each move is atomic, and a bad snapshot never pushes a good one out. */
const files = timerFiles({
  name,
  what: 'Snapshot of etcd, the state of the cluster',
  after: 'kubelet.service',
  calendar: '*-*-* 00/6:00:00',
  delay: '10m',
  programs: [
    `${etcdctl} --endpoints=https://127.0.0.1:2379 --cacert=${paths.pki}/etcd/ca.crt --cert=${client}.crt --key=${client}.key snapshot save ${next}`,
    `${etcdutl} snapshot status ${next}`,
    ...Array.from({ length: kept - 1 }, (_, i) => kept - 1 - i).map((n) => `-/bin/mv -f ${slot(n)} ${slot(n + 1)}`),
    `/bin/mv -f ${next} ${newest}`,
  ],
});
const Input = z.strictObject({ etcdctl: FileArtifact, etcdutl: FileArtifact });
const programs = (input: z.infer<typeof Input>): { path: string; artifact: FileArtifact }[] => [
  { path: etcdctl, artifact: input.etcdctl },
  { path: etcdutl, artifact: input.etcdutl },
];

async function wrong(host: Host, input: z.infer<typeof Input>): Promise<string | null> {
  for (const { path, artifact } of programs(input)) if ((await host.files.sha256(path)) !== artifact.blob.sha256) return `${path} is not ${artifact.version}`;
  const words = await differing(host, files);
  if (words !== null) return words;
  const trouble = await timerTrouble(host, name, 'the last snapshot failed');
  if (trouble !== null) return trouble;
  return (await host.files.stat(newest)) === null ? 'there is no snapshot yet' : null;
}

/** A snapshot of etcd every six hours, the last five kept. docs/recover.md says how one is restored. */
export const etcdSnapshots = defineTask({
  name: 'etcd.snapshots', version: 1, layer: 'orchestration', timeout: '5m', attempts: 3,
  title: 'Snapshots of etcd are taken by a timer',
  input: Input,
  before: z.strictObject({ images: FileImages, folder: FolderBefore, timers: TimerFolders.default([]) }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const reason = await wrong(host, input);
    if (reason === null) return { state: 'satisfied', output: {} };
    const images = await imagesOf(host, [...programs(input), ...files].map((f) => f.path));
    return { state: 'unsatisfied', reason, before: { images, folder: await folderBefore(host, snapshotFolder), timers: await timerFolders(host) } };
  },
  async apply({ host, input }) {
    for (const { path, artifact } of programs(input)) await host.files.install(artifact, path, { mode: 0o755 });
    await host.files.mkdir(snapshotFolder, { mode: 0o700 });
    await writeAll(host, files);
  },
  /** One is taken now, by the unit that the timer starts, and read. */
  async verify({ host }) {
    await startTimer(host, name, { code: 'snapshot-failed', message: 'no snapshot of etcd could be taken' });
    await must(host, ['etcdutl', 'snapshot', 'status', newest], { timeoutMs: 60_000, remedy: `see what is in ${snapshotFolder}, then retry the step` });
  },
  async undo({ host, before }) {
    await endTimer(host, name, before.timers);
    await restoreFolder(host, snapshotFolder, before.folder);
    await restoreAll(host, before.images);
    await host.units.daemonReload();
  },
}); // prettier-ignore
