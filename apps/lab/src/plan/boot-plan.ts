/** How one node is started. Paths are absolute. */
export interface Boot {
  readonly root: string;
  readonly machine: string;
  readonly hostname: string;
  readonly bridge: string;
  readonly shares: readonly { readonly from: string; readonly to: string }[];
  /** Devices of this machine that the node sees: `/dev/fuse`, `/dev/kmsg` where they exist. */
  readonly devices: readonly string[];
  /** Hard limit of file descriptors that this process may hand on. */
  readonly maxFiles: string;
}

/**
 * Arguments of systemd-nspawn. No CAP_SYS_TIME: all nodes share one clock with the machine. `--keep-unit --register=no`: the caller
 * has put the process into the node's own cgroups and needs no machined.
 */
export const nspawnArgs = (boot: Boot): string[] => [
  '--quiet',
  `--directory=${boot.root}`,
  '--register=no',
  '--keep-unit',
  `--network-bridge=${boot.bridge}`,
  `--machine=${boot.machine}`,
  `--hostname=${boot.hostname}`,
  '--capability=all',
  '--drop-capability=CAP_SYS_TIME',
  '--system-call-filter=@keyring bpf @module',
  '--resolv-conf=off',
  '--timezone=off',
  '--link-journal=no',
  `--rlimit=RLIMIT_NOFILE=${boot.maxFiles}:${boot.maxFiles}`,
  ...boot.shares.map(({ from, to }) => `--bind=${from}:${to}`),
  ...boot.devices.map((device) => `--bind=${device}`),
  '--boot',
];

/** A program that writes its own pid into each file before `--`, then becomes the command after it: nobody else can enter a cgroup in time. */
export const enterAndExec = (procFiles: readonly string[], command: readonly string[]): { program: string; args: string[] } => ({
  program: '/bin/sh',
  args: ['-c', 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"', 'enter', ...procFiles, '--', ...command],
});

/** The hard limit of open files in the text of `/proc/self/limits`; 20000 where it cannot be read. */
export const maxOpenFiles = (limits: string): string => /^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? '20000';

export interface NspawnEnd {
  readonly code: number | null;
  /** Somebody asked the node to stay off. */
  readonly stopAsked: boolean;
  /** How often in a row it ended within two seconds of its start. */
  readonly quickEnds: number;
}

/** What a supervisor does when nspawn ended: 133 is a reboot asked for inside, 0 a power-off, all else a crash (power is back at once). */
export function afterEnd({ code, stopAsked, quickEnds }: NspawnEnd): 'boot' | 'stay-off' | 'give-up' {
  if (stopAsked || code === 0) return 'stay-off';
  return quickEnds >= 5 ? 'give-up' : 'boot';
}
