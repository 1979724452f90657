import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { unsetProxies } from '@strata/model';

/** Lets systemd run `stratad uninstall` in a unit of its own, since it stops the unit that this process is. Resolves when it is begun. */
export async function takeAway(): Promise<void> {
  await promisify(execFile)('systemd-run', ['--collect', '--quiet', '--unit=stratad-uninstall', process.execPath, 'uninstall', '--agent-only'], {
    timeout: 15_000,
  });
}

/** The agent's systemd unit. A young generation of 2 MiB, two pool threads and a fixed trim threshold (glibc raises it to 64 MiB by itself) keep its idle memory small; children that are not durable end with it. */
export const unitText = (binary: string): string => `# written by stratad; removed by \`stratad uninstall\`
[Unit]
Description=Strata agent
After=network-online.target dbus.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${binary} run
Restart=always
RestartSec=1
Environment=NODE_OPTIONS=--max-semi-space-size=2
${unsetProxies}
Environment=UV_THREADPOOL_SIZE=2
Environment=MALLOC_TRIM_THRESHOLD_=131072
LimitNOFILE=infinity
UMask=0077

[Install]
WantedBy=multi-user.target
`;
