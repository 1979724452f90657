/** What containerd is told, and how it is started. Pure text from typed settings. */
import { type RuntimePaths, runtimePaths, type RuntimePlace } from '../runtime-place';

export interface ContainerdSettings {
  archive: { blob: { sha256: string } };
  pauseImage: string;
  restrictOomScore: boolean;
  systemdCgroup: boolean;
  place: RuntimePlace;
}
export const binaries = ['containerd', 'containerd-shim-runc-v2', 'ctr'];
export const crictlFile = '/etc/crictl.yaml';

/** Sockets and folders that two containerds on one machine must not share. */
const apart = (p: RuntimePaths): string => `
[plugins.'io.containerd.nri.v1.nri']
  socket_path = "${p.nri}/nri.sock"

[plugins.'io.containerd.internal.v1.opt']
  path = "${p.opt}"
`;

export function configText(s: ContainerdSettings): string {
  const p = runtimePaths[s.place];
  return `# Written by Strata for the archive ${s.archive.blob.sha256}
version = 3

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${s.pauseImage}"

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "${p.registries}"

[plugins.'io.containerd.cri.v1.runtime']
${s.restrictOomScore ? '  restrict_oom_score_adj = true\n' : ''}  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["${p.cniBin}"]
    conf_dir = "${p.cniConf}"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "${p.runc}"
      SystemdCgroup = ${s.systemdCgroup}
${s.place === 'beside' ? apart(p) : ''}`;
}

export function unitText(s: Pick<ContainerdSettings, 'restrictOomScore' | 'place'>): string {
  const p = runtimePaths[s.place];
  const beside = s.place === 'beside';
  return `# Written by Strata
[Unit]
Description=containerd container runtime${beside ? ' of the Strata cluster' : ''}
Documentation=https://containerd.io
After=network.target dbus.service

[Service]
ExecStart=${p.binaries}/containerd${beside ? ` --config ${p.config} --address ${p.socket} --root ${p.data} --state ${p.state}` : ''}
Environment=PATH=${beside ? `${p.binaries}:` : ''}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=2
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
${s.restrictOomScore ? '' : 'OOMScoreAdjust=-999\n'}
[Install]
WantedBy=multi-user.target
`;
}
export const crictlText = (place: RuntimePlace): string => `# Written by Strata\nruntime-endpoint: unix://${runtimePaths[place].socket}\n`;
