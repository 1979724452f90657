import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker, info, warning } from './findings';

/** systemd as pid 1, and what a container takes away. */
export const precheckInit = definePrecheck({
  name: 'precheck.init', version: 1,
  title: 'systemd runs the machine, and its limits are known',
  input: z.strictObject({}),
  async look({ host }) {
    const f = await host.facts('init', 'container', 'canLowerOomScore', 'canSetSysctl', 'nofile');
    const found = [];
    if (f.init !== 'systemd') found.push(blocker('init.not-systemd', `pid 1 is ${f.init || 'unknown'}, not systemd`, 'boot this machine with systemd'));
    if (f.container !== null) found.push(info('init.container', `this machine is a container (${f.container}): its kernel and clock are its host's`));
    if (!f.canLowerOomScore) found.push(info('init.oom-score', 'nothing here may lower its oom_score_adj: containerd and kubelet are set up for that'));
    if (!f.canSetSysctl) found.push(blocker('init.sysctl', 'kernel settings of the network cannot be written here', 'let the container own its network settings (a network namespace of its own with a writable /proc/sys/net)'));
    if (f.nofile > 0 && f.nofile < 16_384) found.push(warning('init.nofile', `services may open only ${f.nofile} files`, 'raise the limit of open files to 65536 or more'));
    return found;
  },
}); // prettier-ignore
