import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker, info, warning } from './findings';

/** systemd as pid 1, and what a container takes away. */
export const precheckInit = definePrecheck({
  name: 'precheck.init', version: 1,
  title: 'systemd runs the machine, and its limits are known',
  input: z.strictObject({}),
  async look({ host }) {
    const f = await host.facts('init', 'container', 'canLowerOomScore', 'canSetSysctl', 'nofile', 'devices', 'userNamespace');
    const found = [];
    if (f.init !== 'systemd') found.push(blocker('init.not-systemd', `pid 1 is ${f.init || 'unknown'}, not systemd`, 'boot this machine with systemd'));
    if (f.container !== null) found.push(info('init.container', `this machine is a container (${f.container}): its kernel and clock are its host's`));
    if (f.container !== null && f.userNamespace)
      found.push(warning('init.unprivileged', 'this container is unprivileged: what kubelet and pods need may be kept from them by the machine around it', 'give it nesting, keyctl and fuse (Proxmox: `features: nesting=1,keyctl=1,fuse=1`), or make it a privileged one'));
    if (f.devices?.['/dev/kmsg'] === false)
      found.push(blocker('init.no-kmsg', 'there is no /dev/kmsg here, and kubelet does not start without it', 'let the machine around this container give it: `lxc.mount.entry: /dev/kmsg dev/kmsg none bind,optional,create=file` (Proxmox: `dev0: /dev/kmsg`)'));
    if (f.container !== null && f.devices?.['/dev/fuse'] === false) found.push(info('init.no-fuse', 'there is no /dev/fuse here: file systems of the user kind (JuiceFS) cannot be mounted'));
    if (!f.canLowerOomScore) found.push(info('init.oom-score', 'nothing here may lower its oom_score_adj: containerd and kubelet are set up for that'));
    if (!f.canSetSysctl) found.push(blocker('init.sysctl', 'kernel settings of the network cannot be written here', 'let the container own its network settings (a network namespace of its own with a writable /proc/sys/net)'));
    if (f.nofile > 0 && f.nofile < 16_384) found.push(warning('init.nofile', `services may open only ${f.nofile} files`, 'raise the limit of open files to 65536 or more'));
    return found;
  },
}); // prettier-ignore
