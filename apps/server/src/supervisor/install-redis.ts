import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { findRedis } from '@strata/queue/redis';

const deadlineMs = 600_000;
const policy = '/usr/sbin/policy-rc.d'; // asked by packages before they start a service
const policyText = '#!/bin/sh\n# by Strata, while it installs redis-server: the service of the distribution is not started\nexit 101\n';
const remedy = 'install the package redis-server (apt-get install --no-install-recommends redis-server), or set REDIS_URL';

interface Doing {
  say: (text: string) => void;
  stopping: AbortSignal;
}

/**
 * Installs Debian's redis-server for its program; the service that comes with it is neither started nor left enabled.
 * @returns the path of the program.
 * @throws Error with the remedy where it is not ours to install (not root, no apt-get), or when apt-get fails.
 */
export async function installRedis({ say, stopping }: Doing): Promise<string> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) throw new Error(`there is no redis-server on this machine: ${remedy}`);
  say('there is no redis-server on this machine: apt-get installs it');
  await withServicesHeldBack(async () => {
    const first = await apt(['install', '-y', '--no-remove', '--no-install-recommends', 'redis-server'], stopping);
    if (first.failed) {
      await apt(['update'], stopping);
      const second = await apt(['install', '-y', '--no-remove', '--no-install-recommends', 'redis-server'], stopping);
      if (second.failed) throw new Error(`apt-get could not install redis-server (${second.said}); ${remedy}`);
    }
    if (existsSync('/run/systemd/system'))
      await execa('systemctl', ['disable', '--now', 'redis-server'], { reject: false, timeout: 60_000, cancelSignal: stopping });
  });
  const program = findRedis();
  if (!program) throw new Error(`redis-server was installed, but it is not in PATH: ${remedy}`);
  return program;
}

/** No package starts a service meanwhile. A policy of the machine's own stays; one of ours that a killed run left is taken away. */
async function withServicesHeldBack(work: () => Promise<void>): Promise<void> {
  const ours = !existsSync(policy) || readFileSync(policy, 'utf8') === policyText;
  if (ours) writeFileSync(policy, policyText, { mode: 0o755 });
  try {
    await work();
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

async function apt(args: string[], stopping: AbortSignal): Promise<{ failed: boolean; said: string }> {
  const { failed, stderr, shortMessage } = await execa('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    reject: false,
    stdin: 'ignore',
    timeout: deadlineMs,
    cancelSignal: stopping,
    env: { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1', LC_ALL: 'C.UTF-8' },
  });
  stopping.throwIfAborted();
  return { failed, said: stderr.trim().split('\n').slice(-3).join(' ') || (shortMessage ?? '') };
}
