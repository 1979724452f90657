import { gibibyte, VolumeAsk, volumeFolder, type VolumesAsk, type VolumeUse } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import { blocker } from '../native/findings';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { isShared, looked, mountType } from './mounted';
import { mountTold } from './mount-told';
import { mountPaths } from './storage-paths';

type Context = Pick<NodeContext<VolumeAsk>, 'host' | 'input'>;
const remedy = 'see `strata storage status`, and `journalctl -u strata-juicefs` on this machine; it is tried again';
const placeOf = ({ path, claim }: VolumeAsk): string => path + volumeFolder(claim);

/** Everything that touches the shared tree is a program with a deadline: a mount that hangs must not hold the agent. */
const kindOf = async (host: Host, path: string): Promise<string | null> => {
  const { code, stdout, stderr } = await host.programs.run(['stat', '--format=%F', '--', path], { timeoutMs: 20_000 });
  if (code === 0) return stdout.trim();
  if (/No such file/.test(stderr)) return null;
  throw new TaskError('view-unreadable', `${path} cannot be looked at: ${stderr.trim().slice(0, 300)}`, { remedy, retry: true });
};
/** Bytes that the folder may hold, as this machine's own mount knows it. */
const sizeOf = async (host: Host, path: string): Promise<number> => {
  const { stdout } = await must(host, ['df', '-B1', '--output=size', '--', path], { timeoutMs: 20_000, remedy });
  return Number(stdout.trim().split('\n').at(-1));
};
/** JuiceFS' quotas, with the password of the mount of this machine, in the environment. */
async function quota({ host, input }: Context, verb: 'set' | 'delete', ...more: string[]): Promise<void> {
  const told = await mountTold(host);
  if (told === null)
    throw new TaskError('no-mount', `this machine has no shared mount: ${mountPaths.unit} is not here`, { remedy: 'apply the cluster again', retry: true });
  const argv = [mountPaths.binary, '--no-agent', 'quota', verb, told.url, '--path', volumeFolder(input.claim), ...more] as const;
  const { code, stderr } = await host.programs.run(argv, { timeoutMs: 45_000, env: told.environment });
  if (code === 0) return;
  const words = stderr.split('\n').findLast((line) => /<(FATAL|ERROR)>/.test(line)) ?? stderr.trim().split('\n').at(-1) ?? ''; // prettier-ignore
  if (verb === 'delete' && /no such file|not found|no quota/i.test(words)) return;
  throw new TaskError('quota-failed', `the quota of ${volumeFolder(input.claim)} could not be ${verb === 'set' ? 'set' : 'deleted'}: ${words.slice(0, 400)}`, { remedy, retry: true });
} // prettier-ignore

/** Why it is not as it is wanted, or null. */
async function wrong({ host, input }: Context): Promise<string | null> {
  const place = placeOf(input);
  const kind = await kindOf(host, place);
  if (input.want === 'gone') return kind === null ? null : `${place} is there`;
  if (kind !== 'directory') return kind === null ? `${place} is not there` : `${place} is a ${kind}`;
  const size = await sizeOf(host, place);
  return size === input.gib * gibibyte ? null : `this machine's mount lets ${place} hold ${size} bytes, not ${input.gib} GiB`;
}
/** Folders of ours only: whoever mounts the tree could put a link in their place, and root would follow it. */
async function makeFolders({ host, input }: Context): Promise<void> {
  const [volumes, namespace] = [`${input.path}/volumes`, `${input.path}/volumes/${input.claim.namespace}`];
  for (const [folder, mode] of [[volumes, '0755'], [namespace, '0755'], [placeOf(input), '0777']] as const) {
    if ((await kindOf(host, folder)) === null) await must(host, ['mkdir', '-m', mode, '--', folder], { timeoutMs: 30_000, remedy });
    const kind = await kindOf(host, folder);
    if (kind !== 'directory') throw new TaskError('not-a-folder', `${folder} is a ${kind ?? 'thing that went'}, not a folder`, { remedy: `see who made it, and move it away; ${remedy}` });
  }
} // prettier-ignore
async function drop(c: Context): Promise<void> {
  await quota(c, 'delete');
  await must(c.host, [mountPaths.binary, '--no-agent', 'rmr', placeOf(c.input)], { timeoutMs: 30 * 60_000, remedy });
}

/**
 * A folder of the shared view with a quota, for one claim. Not a step of any plan: a run has the cluster to itself, and a bundle that waits for its claim
 * would wait for ever (docs/adr/0012). A folder that goes is in the trash of the volume for its days.
 */
export const sharedVolume = defineTask({
  name: 'shared.volume', version: 1, layer: 'native', timeout: '31m', attempts: 1,
  title: 'A claim has its folder of the shared view',
  input: VolumeAsk,
  before: z.strictObject({ there: z.boolean() }),
  output: z.strictObject({}),
  async check(c) {
    const type = await mountType(c.host, c.input.path);
    const words = isShared(type) ? await looked(c.host, [c.input.path]) : `the shared file system is not mounted at ${c.input.path}`;
    if (words !== null) return { state: 'refused', findings: [blocker('storage.not-shared', words, remedy)] };
    const reason = await wrong(c);
    if (reason === null) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason, before: { there: (await kindOf(c.host, placeOf(c.input))) !== null } };
  },
  async apply(c) {
    if (c.input.want === 'gone') return drop(c);
    if (c.input.want === 'seen') return;
    await makeFolders(c);
    await quota(c, 'set', '--capacity', String(c.input.gib));
  },
  /** What is written before a mount has heard of the quota does not count against it, for good. Mounts ask every 12 s. */
  async verify(c) {
    if (c.input.want === 'gone') return;
    let last = '';
    await until(c.clock, { what: 'the mount to keep the quota', timeoutMs: 40_000, everyMs: 500, signal: c.signal, remedy, note: () => last }, async () => {
      last = (await wrong(c)) ?? '';
      return last === '' ? true : null;
    });
  },
  /** Only what this made, and only while it is empty. */
  async undo(c) {
    if (c.input.want !== 'there' || c.before.there || (await kindOf(c.host, placeOf(c.input))) !== 'directory') return;
    await quota(c, 'delete');
    await must(c.host, ['rmdir', '--ignore-fail-on-non-empty', '--', placeOf(c.input)], { timeoutMs: 30_000, remedy });
  },
}); // prettier-ignore

/** What is in the folders of claims, by their quotas. Those that are not there are left out. Changes nothing. */
export async function lookAtVolumes(host: Host, { path, claims }: VolumesAsk): Promise<z.infer<typeof VolumeUse>[]> {
  if (claims.length === 0 || !isShared(await mountType(host, path))) return [];
  const uids = new Map(claims.map((claim) => [path + volumeFolder(claim), claim.uid]));
  const { stdout } = await host.programs.run(['df', '-B1', '--output=size,used,file', '--', ...uids.keys()], { timeoutMs: 8_000 });
  return [...stdout.matchAll(/^\s*(\d+)\s+(\d+)\s+(\/.*)$/gm)].flatMap(([, size, used, file = '']) => {
    const uid = uids.get(file);
    return uid === undefined ? [] : [{ uid, size: Number(size), used: Number(used) }];
  });
}
