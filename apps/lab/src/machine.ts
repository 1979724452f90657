import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { aptFiles } from './apt-sources';
import { LabFailure } from './failure';
import { mountsBelow } from './mounts';
import { nameservers } from './network';
import { nodeFiles, type NodeFile } from './plan/node-files';
import { run } from './programs';
import { labPath, nodePaths, type NodePaths, type Settings } from './settings';
import type { LabState, NodeState } from './state';

/** Mounts a node's disk and root; does nothing where they are mounted. Makes the folders on first use. */
export async function mountRoot(paths: NodePaths, node: Pick<NodeState, 'baseDir' | 'diskBytes'>): Promise<void> {
  mkdirSync(paths.disk, { recursive: true });
  const mounted = mountsBelow(paths.dir);
  if (node.diskBytes && !mounted.includes(paths.disk)) {
    if (!existsSync(paths.diskImage)) {
      const image = openSync(paths.diskImage, 'w', 0o600);
      ftruncateSync(image, node.diskBytes);
      closeSync(image);
      await run('mkfs.ext4', ['-q', '-m', '0', '-E', 'lazy_itable_init=1,lazy_journal_init=1', paths.diskImage]);
    }
    await run('mount', ['-o', 'loop,noatime', paths.diskImage, paths.disk]);
  }
  for (const dir of [paths.upper, paths.work, paths.root]) mkdirSync(dir, { recursive: true, mode: 0o755 });
  for (const { from } of paths.shares) mkdirSync(from, { recursive: true, mode: 0o755 });
  if (mounted.includes(paths.root)) return;
  try {
    await run('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=${node.baseDir},upperdir=${paths.upper},workdir=${paths.work}`, paths.root]);
  } catch (cause) {
    throw new LabFailure(`the root of a node could not be mounted at ${paths.root}`, {
      remedy: 'the folders of STRATA_LAB_DIR and STRATA_CACHE must lie on a real file system (ext4, xfs, btrfs), not on an overlay or a network share',
      cause,
    });
  }
}

/** Writes files into a root file system. */
export function writeFiles(root: string, files: readonly NodeFile[]): void {
  for (const file of files) {
    const path = join(root, file.path);
    mkdirSync(dirname(path), { recursive: true, mode: dirname(path).endsWith('.ssh') ? 0o700 : 0o755 });
    if ('copyOf' in file) copyFileSync(file.copyOf, path);
    else if ('link' in file) {
      rmSync(path, { force: true });
      symlinkSync(file.link, path);
    } else {
      writeFileSync(path, file.text);
      chmodSync(path, file.mode ?? 0o644);
    }
  }
}

/** The fingerprint of a public key line as OpenSSH prints it: `SHA256:` and 43 characters. */
export const fingerprint = (publicKey: string): string =>
  `SHA256:${createHash('sha256')
    .update(Buffer.from(publicKey.trim().split(/\s+/)[1] ?? '', 'base64'))
    .digest('base64')
    .replace(/=+$/, '')}`;

/** Paths of a lab's own login: an ed25519 key for root and ops, and the password with which ops uses sudo. */
export const labLogin = (settings: Settings, lab: string): { keyFile: string; passwordFile: string } => ({
  keyFile: join(labPath(settings, lab), 'id_ed25519'),
  passwordFile: join(labPath(settings, lab), 'ops-password'),
});

/**
 * Makes the disk of a new node, ready to boot: its identity, a fresh host key, logins, apt as this machine has it. Gives the host key's fingerprint.
 */
export async function prepareNode(settings: Settings, lab: LabState, node: NodeState): Promise<string> {
  const paths = nodePaths(settings, lab.name, node.name);
  const login = labLogin(settings, lab.name);
  await mountRoot(paths, node);
  const authorizedKey = readFileSync(`${login.keyFile}.pub`, 'utf8');
  writeFiles(paths.root, [
    ...nodeFiles({ name: node.name, address: node.address, slot: lab.slot, authorizedKey, nameservers: nameservers() }),
    ...(await aptFiles()),
  ]);
  for (const type of ['ed25519', 'ecdsa']) {
    const key = join(paths.root, `etc/ssh/ssh_host_${type}_key`);
    if (!existsSync(key)) await run('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', `root@${node.name}`, '-f', key]);
  }
  const sudo = existsSync(join(paths.root, 'usr/bin/sudo'));
  await run('chroot', [paths.root, 'useradd', '--create-home', '--shell', '/bin/bash', ...(sudo ? ['--groups', 'sudo'] : []), 'ops']);
  await run('chroot', [paths.root, 'chpasswd'], { input: `ops:${readFileSync(login.passwordFile, 'utf8').trim()}\n` });
  writeFiles(paths.root, [{ path: '/home/ops/.ssh/authorized_keys', text: authorizedKey, mode: 0o600 }]);
  await run('chroot', [paths.root, 'chown', '-R', 'ops:ops', '/home/ops/.ssh']);
  if (node.diskBytes) await run('sync', ['-f', paths.disk], { deadline: 120_000 }); // a machine that loses power must not lose what it came with
  return fingerprint(readFileSync(join(paths.root, 'etc/ssh/ssh_host_ed25519_key.pub'), 'utf8'));
}

/** Removes what a killed nspawn leaves under /run; call it before the root is unmounted. */
export function removeTraces(paths: NodePaths, machine: string): void {
  const root = existsSync(paths.root) ? statSync(paths.root) : undefined;
  if (root) rmSync(`/run/systemd/nspawn/locks/inode-${root.dev}:${root.ino}`, { force: true });
  rmSync(`/run/systemd/nspawn/propagate/${machine}`, { recursive: true, force: true });
}

const readPid = (file: string): number | undefined => {
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  return pid > 1 ? pid : undefined;
};
const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // it ended
  }
};

/** Pid of a node's supervisor, if it lives. The command line is compared: a pid may have been given to somebody else. */
export function supervisorOf(paths: NodePaths): number | undefined {
  const pid = readPid(paths.supervisorPid);
  return pid && commandLine(pid).includes(` _supervise `) ? pid : undefined;
}

/** Pid of a node's systemd-nspawn, if it lives. */
export function nspawnOf(paths: NodePaths): number | undefined {
  const pid = readPid(paths.nspawnPid);
  return pid && commandLine(pid).includes(`--directory=${paths.root} `) ? pid : undefined;
}

/** Pid of the node's own PID 1, seen from here; undefined while the node is off or nspawn has not yet come so far. */
export function leaderOf(paths: NodePaths): number | undefined {
  const nspawn = nspawnOf(paths);
  if (!nspawn) return undefined;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const [, comm, parent] = /^\d+ \((.*)\) \S (\d+) /s.exec(readFileSync(`/proc/${entry}/stat`, 'utf8')) ?? [];
      if (comm === 'systemd' && Number(parent) === nspawn) return Number(entry);
    } catch {
      // it ended meanwhile
    }
  }
  return undefined;
}
