import { Injectable } from '@nestjs/common';
import type { JoinCommand } from '@strata/model';
import { hashToken, joinTokenText, newToken } from '@strata/pki';
import { conflict } from '../api/problem';
import { AgentFiles } from '../bootstrap/agent-file';
import { Edges } from '../serve/edges';
import { ShowNodes } from './show-nodes';

const lifeMs = 15 * 60_000;
const mostHosts = 4;

/** One line that makes a machine a node: fetches the agent, checks its sha256, and gives it a one-time token on standard input. */
@Injectable()
export class MakeJoinCommand {
  constructor(
    private readonly edges: Edges,
    private readonly nodes: ShowNodes,
    private readonly files: AgentFiles,
  ) {}

  /** An older line for the same node stops working. @throws ProblemError 404, 409 when the node is enrolled already. */
  async run(cluster: string, name: string, by: string): Promise<JoinCommand> {
    const node = await this.nodes.record(cluster, name);
    if (node.state === 'enrolled')
      throw conflict('node-enrolled', `node "${name}" is enrolled already`, 'remove it first (strata node remove) if another machine is to take its place');
    const { keys, store, reach } = this.edges;
    const agent = await this.files.get();
    const token = newToken('join');
    const expiresAt = new Date(this.edges.now() + lifeMs);
    await store.transaction(async (work) => {
      await work.enrollTokens.revoke(node.id);
      await work.enrollTokens.add({ hash: hashToken(token), clusterId: node.clusterId, nodeId: node.id, role: node.role, expiresAt });
      await work.audit.record({ by, action: 'node.join-command', object: `node/${node.name}`, body: { expiresAt: expiresAt.toISOString() } });
    });
    const hosts = reach.hosts.slice(0, mostHosts);
    const text = joinTokenText(keys.authority.pin, token);
    const servers = hosts.map((host) => `--server ${host}:${reach.ports.enrollment}`).join(' ');
    const command = joinLine({
      urls: hosts.map((host) => `https://${host}:${reach.ports.artifacts}/v1/agent/${agent.sha256}`),
      sha256: agent.sha256,
      join: `join ${servers} --ca-pin ${keys.authority.pin} --name ${node.name}`,
      token: text,
    });
    return { command, token: text, expiresAt: expiresAt.toISOString(), node: node.name };
  }
}

/**
 * The line itself: POSIX sh, run as root on the new machine. The transfer need not be trusted, for the file's sha256 is in the line.
 * `echo` is a builtin of every shell, so the token is in no process's arguments.
 */
export function joinLine(what: { urls: string[]; sha256: string; join: string; token: string }): string {
  const is = `echo "${what.sha256}  $f" | sha256sum -c --status 2>/dev/null`;
  const get = `curl -fsSk --compressed --connect-timeout 20 --speed-limit 1 --speed-time 60 -o "$f" "$u" 2>/dev/null || wget -q --no-check-certificate -T 60 -O "$f" "$u" 2>/dev/null`;
  const none = `echo "the agent could not be fetched: install curl or wget, or copy stratad to $f by hand, then run this line again" >&2; exit 1`;
  const fetch = `for u in ${what.urls.map((u) => `"${u}"`).join(' ')}; do { ${get}; } && ${is} && break; done; ${is} || { rm -f "$f"; ${none}; }`;
  const machine = '[ "$(uname -m)" = x86_64 ] || { echo "this machine is $(uname -m), and the agent is for x86_64 only" >&2; exit 1; }';
  const body = `set -e; unset http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY; ${machine}; d=/usr/local/bin; mkdir -p "$d"; f="$d/stratad"; ${is} || { ${fetch}; }; chmod 0755 "$f"; exec "$f" ${what.join}`;
  return `echo ${what.token} | sh -c '${body}'`; // no single quote in the body: only digits, addresses and our own words
}
