/** What containerd is told, and how it is started. Pure text from typed settings. */
export interface ContainerdSettings {
  archive: { blob: { sha256: string } };
  pauseImage: string;
  restrictOomScore: boolean;
  systemdCgroup: boolean;
}
export const binaries = ['containerd', 'containerd-shim-runc-v2', 'ctr'];
export const binaryFolder = '/usr/local/bin';
export const socket = '/run/containerd/containerd.sock';
export const configFile = '/etc/containerd/config.toml';
export const unitFile = '/etc/systemd/system/containerd.service';
export const crictlFile = '/etc/crictl.yaml';

export const configText = (s: ContainerdSettings): string => `# Written by Strata for the archive ${s.archive.blob.sha256}
version = 3

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${s.pauseImage}"

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "/etc/containerd/certs.d"

[plugins.'io.containerd.cri.v1.runtime']
${s.restrictOomScore ? '  restrict_oom_score_adj = true\n' : ''}  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/opt/cni/bin"]
    conf_dir = "/etc/cni/net.d"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "/usr/local/bin/runc"
      SystemdCgroup = ${s.systemdCgroup}
`;

export const unitText = (s: Pick<ContainerdSettings, 'restrictOomScore'>): string => `# Written by Strata
[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target dbus.service

[Service]
ExecStart=/usr/local/bin/containerd
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
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
export const crictlText = `# Written by Strata\nruntime-endpoint: unix://${socket}\n`;
