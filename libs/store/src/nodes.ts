import type { Role } from '@strata/model';
import { jsonColumn, type Db } from './db';
import type { NodeModel } from './gen/models';

export interface NodeRecord {
  id: string;
  clusterId: string;
  name: string;
  role: Role;
  address: string | null;
  state: 'planned' | 'enrolled' | 'removed';
  certSerial: string | null;
  epoch: number; // certificates and sessions of an older one are refused
  machineId: string | null;
  hostKeys: string[];
  agentVersion: string | null;
  facts: unknown;
  factsDigest: string | null;
  skewMs: number | null;
  sshSecrets: string | null; // sealed
  lastSeenAt: Date | null;
  createdAt: Date;
}
const record = (row: NodeModel): NodeRecord => ({ ...row, role: row.role as Role, state: row.state as NodeRecord['state'] });

export type NodeBrief = Pick<NodeRecord, 'id' | 'clusterId' | 'name' | 'role' | 'state' | 'lastSeenAt'>;

/** What a machine brings when it becomes a node. */
export interface Enrollment {
  nodeId: string;
  certSerial: string;
  machineId: string;
  hostKeys: string[];
  agentVersion: string;
}

/** The machines of clusters. A removed node keeps its row; the same name added again is a new one. */
export class Nodes {
  constructor(private readonly db: Db) {}

  /** The live node of this name, made with `id` if there is none; role and address follow the spec. */
  async plan(node: { id: string; clusterId: string; name: string; role: Role; address: string | null }): Promise<NodeRecord> {
    const { clusterId, name, role, address } = node;
    return this.db.atomic(async (sql) => {
      await sql.$executeRaw`INSERT INTO "node" ("id", "cluster_id", "name", "role", "address", "host_keys")
        VALUES (${node.id}::uuid, ${clusterId}::uuid, ${name}, ${role}, ${address}, '{}') ON CONFLICT ("cluster_id", "name") WHERE "state" <> 'removed' DO NOTHING`;
      const found = await sql.node.findFirstOrThrow({ where: { clusterId, name, state: { not: 'removed' } } });
      if (found.role === role && found.address === address) return record(found);
      return record(await sql.node.update({ where: { id: found.id }, data: { role, address } }));
    });
  }

  async find(nodeId: string): Promise<NodeRecord | null> {
    const found = await this.db.run((sql) => sql.node.findUnique({ where: { id: nodeId } }));
    return found && record(found);
  }

  /** The live node of that name. */
  async named(clusterId: string, name: string): Promise<NodeRecord | null> {
    const found = await this.db.run((sql) => sql.node.findFirst({ where: { clusterId, name, state: { not: 'removed' } } }));
    return found && record(found);
  }

  /** Live nodes without their facts, which are large: for what is asked many times a second. */
  async brief(clusterId: string): Promise<NodeBrief[]> {
    const select = { id: true, clusterId: true, name: true, role: true, state: true, lastSeenAt: true } as const;
    const rows = await this.db.run((sql) => sql.node.findMany({ where: { clusterId, state: { not: 'removed' } }, select }));
    return rows.map((row) => ({ ...row, role: row.role as Role, state: row.state as NodeRecord['state'] }));
  }

  /** Live nodes, oldest first. */
  async list(clusterId: string): Promise<NodeRecord[]> {
    const where = { clusterId, state: { not: 'removed' } };
    return (await this.db.run((sql) => sql.node.findMany({ where, orderBy: [{ createdAt: 'asc' }, { name: 'asc' }] }))).map(record);
  }

  /** The machine is a node from now on; its SSH secrets are erased. False: the node was removed meanwhile. */
  async enroll({ nodeId, ...rest }: Enrollment): Promise<boolean> {
    const data = { ...rest, state: 'enrolled', sshSecrets: null, lastSeenAt: new Date() };
    return (await this.db.run((sql) => sql.node.updateMany({ where: { id: nodeId, state: { not: 'removed' } }, data }))).count === 1;
  }

  /** A renewed certificate. */
  async renew(nodeId: string, certSerial: string): Promise<boolean> {
    return (await this.db.run((sql) => sql.node.updateMany({ where: { id: nodeId, state: 'enrolled' }, data: { certSerial } }))).count === 1;
  }

  /** The node is gone: certificates and orders below `epoch` are refused, secrets are erased, its name is free. */
  async tombstone(nodeId: string, epoch: number): Promise<void> {
    await this.db.run((sql) => sql.node.update({ where: { id: nodeId }, data: { state: 'removed', epoch, sshSecrets: null } }));
  }

  /** Removes machines that no run made a node and that are not of these names: what a dry run's draft brought. */
  async forgetPlanned(clusterId: string, butNot: readonly string[], epoch: number): Promise<void> {
    const where = { clusterId, state: 'planned', name: { notIn: [...butNot] } };
    await this.db.run((sql) => sql.node.updateMany({ where, data: { state: 'removed', epoch, sshSecrets: null } }));
  }

  async recordFacts(nodeId: string, { facts, digest, agentVersion }: { facts: unknown; digest: string; agentVersion?: string }): Promise<void> {
    const data = { facts: jsonColumn(facts), factsDigest: digest, ...(agentVersion === undefined ? {} : { agentVersion }) };
    await this.db.run((sql) => sql.node.update({ where: { id: nodeId }, data }));
  }

  /** These nodes were heard at `at`: one statement for all sessions. */
  async seen(heard: readonly { nodeId: string; at: Date; skewMs: number | null }[]): Promise<void> {
    if (heard.length === 0) return;
    const rows = JSON.stringify(
      heard.map(({ nodeId, at, skewMs }) => ({
        id: nodeId,
        at: at.toISOString(),
        skew: skewMs === null ? null : Math.max(-2147483648, Math.min(2147483647, Math.round(skewMs))),
      })),
    );
    await this.db.run(
      (sql) =>
        sql.$executeRaw`UPDATE "node" SET "last_seen_at" = s."at", "skew_ms" = coalesce(s."skew", "skew_ms")
        FROM jsonb_to_recordset(${rows}::jsonb) AS s("id" uuid, "at" timestamptz, "skew" int) WHERE "node"."id" = s."id"`,
    );
  }

  async keepSshSecrets(nodeId: string, sealed: string): Promise<void> {
    await this.db.run((sql) => sql.node.updateMany({ where: { id: nodeId, state: 'planned' }, data: { sshSecrets: sealed } }));
  }

  async eraseSshSecrets(nodeId: string): Promise<void> {
    await this.db.run((sql) => sql.node.update({ where: { id: nodeId }, data: { sshSecrets: null } }));
  }
}
