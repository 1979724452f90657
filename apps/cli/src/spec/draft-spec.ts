import { type Facts, type MachineSeen, type MachinesSeen, type NodeSpec, sshHost } from '@strata/model';

export interface Draft {
  cluster: string;
  distribution?: string;
  schema: string;
  seen: MachinesSeen;
  /** How each was reached, as the operator wrote it, in the same order. */
  asked: readonly NodeSpec[];
}

/** A commented spec of machines that were looked at: what was seen stands beside what it led to. A spec proves that `validate` takes it. */
export function draftSpec({ cluster, distribution = 'k3s', schema, seen, asked }: Draft): string {
  const names = nodeNames(seen.machines.map((m) => m.facts?.hostname ?? ''));
  const ranges = seen.ranges ?? { podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/12' };
  const why = seen.ranges ? 'touches no route that these machines have' : 'CHANGE THIS: no range of ours is free of the routes of these machines';
  const docker = seen.machines.some((m) => m.facts && foreign(m.facts).length > 0);
  return [
    `# yaml-language-server: $schema=${schema}`,
    `# Written by \`strata init --ssh\` from what ${count(seen.machines.length, 'machine')} showed. Check it with \`strata plan -f FILE\`: that changes nothing.`,
    'apiVersion: strata/v1',
    'kind: Cluster',
    'metadata:',
    `  name: ${cluster}`,
    'spec:',
    '  distribution:',
    `    kind: ${distribution} # k3s | kubernetes`,
    '  network:',
    `    podCidr: ${ranges.podCidr} # ${why}`,
    `    serviceCidr: ${ranges.serviceCidr}`,
    '  nodes:',
    ...seen.machines.flatMap((m, i) => nodeLines(m, { name: names[i]!, asked: asked[i]!, first: i === 0 })),
    '  native:',
    '    packages: [gcc, net-tools] # on every node, beside what Kubernetes itself needs; [] for none',
    `    swap: keep # or off${swapWords(seen.machines)}`,
    '    firewall: open-ports # what it needs is opened by the tool that is there; or ignore',
    ...(docker ? ['    containerd: { foreign: refuse } # or adopt: the container software that is there stays and is used'] : []),
    '  policy:',
    '    nodeWait: 2m # a node silent for longer is left behind and finished when it returns',
    '    onFailure: hold # or unwind: take back what the run changed',
  ].join('\n');
}

/** Names for nodes out of host names: valid, and each once. A machine without a name of its own is called after its place. */
export function nodeNames(hostnames: readonly string[]): string[] {
  const taken = new Set<string>();
  return hostnames.map((hostname, i) => {
    const label = (hostname.toLowerCase().split('.')[0] ?? '').replace(/[^a-z0-9-]+/g, '-').slice(0, 58).replace(/^-+|-+$/g, ''); // prettier-ignore
    const base = label === '' || label === 'localhost' ? `n${i + 1}` : label;
    let name = base;
    for (let n = 2; taken.has(name); n += 1) name = `${base}-${n}`;
    taken.add(name);
    return name;
  });
}

function nodeLines(machine: MachineSeen, at: { name: string; asked: NodeSpec; first: boolean }): string[] {
  const { asked } = at;
  const [chosen, ...others] = machine.addresses;
  const host = sshHost(asked) ?? '';
  const address = chosen?.address ?? host;
  const choice = others.length > 0 ? ` # ${chosen?.interface}; it also has ${others.map((a) => `${a.address} (${a.interface})`).join(', ')}: take the one that the other nodes reach` : '';
  const ssh: [string, string][] = [
    ...(host === address ? [] : ([['host', text(host)]] as [string, string][])),
    ['user', text(asked.ssh?.user ?? 'root')],
    ...Object.entries({ port: asked.ssh?.port === 22 ? undefined : asked.ssh?.port, keyFile: asked.ssh?.keyFile, passwordFrom: asked.ssh?.passwordFrom, passphraseFrom: asked.ssh?.passphraseFrom, sudoPasswordFrom: asked.ssh?.sudoPasswordFrom, agent: asked.ssh?.agent === true ? true : undefined })
      .flatMap(([k, v]): [string, string][] => (v === undefined ? [] : [[k, typeof v === 'string' ? text(v) : String(v)]])),
  ];
  const bastion = asked.ssh?.bastion;
  return [
    `    - name: ${at.name}`,
    ...(machine.facts ? seenLines(machine.facts).map((line) => `      # ${line}`) : []),
    `      address: ${address}${choice}`,
    `      role: ${at.first ? 'control-plane # also runs workloads' : 'worker'}`,
    '      ssh:',
    ...ssh.map(([k, v]) => `        ${k}: ${v}`),
    ...(machine.hostKey ? [`        hostKey: ${machine.hostKey.fingerprint}${machine.hostKey.accepted === 'new' ? ' # taken unseen: compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` there' : ''}`] : []),
    ...(bastion ? [`        bastion: { host: ${text(bastion.host)}, user: ${text(bastion.user)}, port: ${bastion.port}${bastion.hostKey ? `, hostKey: ${bastion.hostKey}` : ''} }`] : []),
  ];
} // prettier-ignore

/** What a machine is, in a few lines. */
function seenLines(f: Facts): string[] {
  const memory = Math.min(f.memory.total, f.memory.limit ?? Infinity);
  const where = f.container === null ? '' : `, inside ${f.container}`;
  const firewall = f.firewall.tools.length === 0 ? 'none' : f.firewall.tools.join(', ');
  const drops = [f.firewall.dropsInput && 'input', f.firewall.dropsForward && 'forwarding'].filter(Boolean).join(' and ');
  return [
    `${f.hostname}: ${f.os.name}, ${f.arch}, kernel ${f.kernel}${where}; ${count(f.cpus, 'CPU')}, ${size(memory)} of memory`,
    `disks: ${f.disks.map((d) => `${d.mount} (${d.type}) ${size(d.free)} free of ${size(d.size)}`).join(', ') || 'none seen'}`,
    `firewall: ${firewall}${drops === '' ? '' : `; ${drops} is dropped unless allowed`}`,
    ...foreign(f).map((r) => `${r.kind}${r.version === null ? '' : ` ${r.version}`} is there already (${[r.package && `package ${r.package}`, r.unit, r.socket].filter(Boolean).join(', ') || 'by hand'})`),
    ...(f.gpus.length > 0 ? [`GPU: ${f.gpus.map((g) => `${g.vendor} ${g.model}`).join(', ')}`] : []),
  ].map(clean); // prettier-ignore
}
const foreign = (f: Facts): Facts['containerRuntimes'] => f.containerRuntimes.filter((r) => !r.ours);
const swapWords = (machines: readonly MachineSeen[]): string => {
  const with_ = machines.filter((m) => (m.facts?.memory.swap ?? 0) > 0).map((m) => m.facts!.hostname);
  return with_.length === 0 ? '' : clean(`; swap is on at ${with_.join(', ')}`);
};

/** A machine says what it likes of itself: nothing of it may end a comment. */
const clean = (words: string): string => words.replace(/[^\x20-\x7e\u00a0-\ud7ff]+/g, ' ').slice(0, 300); // prettier-ignore
/** A value that YAML reads back as this text. */
const text = (value: string): string =>
  /^[A-Za-z0-9/~][A-Za-z0-9/~._-]*$/.test(value) && !/^(true|false|yes|no|on|off|null|~)$/i.test(value) && Number.isNaN(Number(value))
    ? value
    : JSON.stringify(value);
const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
const size = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 10e9 ? 1 : 0)} GB`;
