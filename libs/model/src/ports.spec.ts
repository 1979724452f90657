import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterPorts, serverPorts } from './ports';

const lines = (rows: readonly string[][]): string[] => rows.map((row) => `| ${row.join(' | ')} |`);
const ofCluster = lines(
  clusterPorts.map((p) => [
    `${p.port}/${p.proto}`,
    p.on,
    { anywhere: 'anywhere: people, nodes, pods', nodes: 'the other nodes', itself: 'the machine itself' }[p.from],
    p.what +
      (p.backend === undefined ? '' : `, only with \`network.backend: ${p.backend}\``) +
      (p.tunnel ? ', only where a node has `nat: true`' : '') +
      (p.storage ? ', only with `storage.kind: juicefs`' : ''),
    p.from === 'itself' ? 'no' : 'yes',
  ]),
);
const ofServer = lines(
  Object.entries(serverPorts).map(([setting, p]) => [
    `${p.port}/tcp`,
    `\`${setting}\``,
    p.from === 'nodes' ? 'the nodes' : 'the control host itself, unless `apiAddress` says more',
    p.what,
  ]),
);
const document = `# Ports and directions

Made from the table in the code that the prechecks and \`firewall.open\` read (\`libs/model/src/ports.ts\`); a test compares.

## Into the control host

Nodes dial out to the control host; it needs no way to a node beyond SSH at the first contact. The ports are settings of the server (\`HOME/server.yaml\`).

| port | setting | from | what |
|---|---|---|---|
${ofServer.join('\n')}

## Into a node

"Opened" is what \`firewall.open\` lets through where a firewall would drop it (\`native.firewall: open-ports\`); "the other nodes" are the networks that the nodes' addresses are in. Traffic from the range of pods and over the interfaces of the pod network is let through as well.

| port | on | from | what | opened |
|---|---|---|---|---|
| 22/tcp | nodes with \`ssh\` | the control host, or its bastion | first contact, until the agent runs; \`ssh.port\` says another | no: it is reached already |
${ofCluster.join('\n')}
| 9567, 6060-6099/tcp | every node | the machine itself | JuiceFS: its metrics, its profiles; the next free ones where these are taken, only with \`storage.kind: juicefs\` | no |
| 30000-32767/tcp and udp | every node | whom you want to reach a NodePort service | services of type NodePort | no: that is yours to decide |

With \`network.backend: host-gw\` nodes send each other the pods' own packets without a port: they must be on one network, and nothing between them may filter by address.

## Out of a node

| to | port | what |
|---|---|---|
| the control host | ${serverPorts.agentPort.port}, ${serverPorts.artifactPort.port}, ${serverPorts.enrollPort.port}/tcp | agent, artifacts, enrollment |
| the machine's package sources | as they say (80, 443/tcp) | packages of the system; nothing else comes from outside |
| its name server, its time source | 53/udp and tcp, 123/udp | names, the clock |

## Out of the control host

| to | port | what |
|---|---|---|
| nodes with \`ssh\` | 22/tcp | first contact |
| nodes of role control-plane | 6443/tcp | the Kubernetes API |
| where artifacts come from (\`strata plan\` names them) | 443/tcp | each artifact once |
`;

test('docs/ports.md is what the table says (written anew with STRATA_WRITE_DOCS=1)', () => {
  const path = join(__dirname, '../../../docs/ports.md');
  if (process.env.STRATA_WRITE_DOCS) writeFileSync(path, document);
  expect(readFileSync(path, 'utf8')).toBe(document);
});
test('no port stands twice', () => {
  const all = [...clusterPorts.map((p) => `${p.port}/${p.proto}`), ...Object.values(serverPorts).map((p) => `${p.port}/tcp`)];
  expect(new Set(all).size).toBe(all.length);
});
