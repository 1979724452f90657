import { localHost } from '@strata/host-local';
import { type Evidence, HostOrIp, type MountHealth, newestPart, StorageAsk, VolumesAsk } from '@strata/model';
import {
  changesOf,
  knownSecrets,
  lookAtImages,
  readKeptImages,
  type Looking,
  lookAtNode,
  lookAtStorage,
  lookAtVolumes,
  nodeEvidence,
  Scrub,
  scrubbed,
} from '@strata/tasks';
import type { FromAgentBodies, ToAgentBodies } from '@strata/wire';
import { z } from 'zod';
import { volumeDeed } from './deeds';
import type { Journal } from './journal';
import { keptOf } from './kept';
import type { Paths } from './paths';
import { version } from './version';

/** What a look is made with. */
export interface LookWorld {
  paths: Paths;
  nodeName: string;
  journal: Journal;
  serverNow: () => number | null;
  mount: () => MountHealth | null;
}
const Reach = z.strictObject({ host: HostOrIp, ports: z.array(z.int().min(1).max(65535)).max(8) });

/**
 * What a server may ask outside any run. Each only reads, takes next to no input, and is answered from code of this agent: there is no order, no
 * journal entry and nothing to undo. `volume` is no look, and the only one: deeds.ts says why.
 */
const looks: Readonly<Record<string, (input: unknown, world: LookWorld) => Promise<unknown>>> = {
  doctor: async (_input, w) => {
    const checks = await lookAtNode(lookingOf(w));
    const scrub = new Scrub(await knownSecrets(localHost({ stateDir: w.paths.state })));
    return checks.map((c) => ({ ...c, cause: scrub.text(c.cause), evidence: c.evidence.map((line) => scrub.text(line)) }));
  },
  changes: async (_input, w) => changesOf(localHost({ stateDir: w.paths.state }), await keptOf(w.paths, w.journal)),
  evidence: async (_input, w) => {
    const scrub = new Scrub(await knownSecrets(localHost({ stateDir: w.paths.state })));
    return scrubbed([...ordersEvidence(w), await changesEvidence(w), ...(await nodeEvidence(lookingOf(w)))], scrub);
  },
  images: async (_input, w) => {
    const host = localHost({ stateDir: w.paths.state });
    const kept = await readKeptImages(host);
    return kept === null ? [] : lookAtImages(host.images(kept.place), Object.values(kept.images), true);
  },
  storage: async (input, w) => lookAtStorage(localHost({ stateDir: w.paths.state }), { ask: StorageAsk.parse(input), mount: w.mount() }),
  volumes: async (input, w) => lookAtVolumes(localHost({ stateDir: w.paths.state }), VolumesAsk.parse(input)),
  volume: async (input, w) => volumeDeed(input, w.paths.state),
  reach: async (input, w) => {
    const { host, ports } = Reach.parse(input);
    const { network } = localHost({ stateDir: w.paths.state });
    return Promise.all(ports.map((port) => network.reaches(host, port, 3_000)));
  },
};
const lookingOf = (w: LookWorld): Looking => ({ host: localHost({ stateDir: w.paths.state }), where: w.nodeName, serverNow: w.serverNow });
export const lookNames = Object.keys(looks);

/** The orders that this node's journal holds, without their inputs: what was done here, and how it ended. */
function ordersEvidence({ journal }: LookWorld): Evidence[] {
  const orders = journal.all().map(({ body, attempt, epoch, state, outcome, result }) => ({
    ...{ orderId: body.orderId, task: body.task, action: body.action, attempt, epoch, state, outcome },
    ...{ findings: result?.findings, failure: result?.failure, reason: result?.reason, durationMs: result?.durationMs },
  }));
  return [
    { path: 'versions/stratad.txt', text: `stratad ${version} (node ${process.version})\n` },
    { path: 'orders.json', ...newestPart(orders.map((o) => JSON.stringify(o)).join('\n')) },
  ];
}

async function changesEvidence(w: LookWorld): Promise<Evidence> {
  const path = 'changes.json';
  return changesOf(localHost({ stateDir: w.paths.state }), await keptOf(w.paths, w.journal)).then(
    (all) => ({ path, ...newestPart(JSON.stringify(all, null, 1)) }),
    (error: Error) => ({ path, missing: error.message }),
  );
}

const deadlineMs = 80_000;
const heartbeatMs = 2_000;
const partBytes = 256 << 10;

/** Answers one look in parts. Never throws: what goes wrong is in the answer, and without a session there is nobody to tell. */
export async function answerLook(
  ask: ToAgentBodies['ask'],
  world: LookWorld,
  send: (m: { kind: 'answer' } & FromAgentBodies['answer']) => Promise<void>,
): Promise<void> {
  const { id } = ask;
  const empty = { kind: 'answer', id, part: Buffer.alloc(0), last: false, failure: '' } as const;
  const beat = setInterval(() => void send(empty).catch(() => undefined), heartbeatMs); // it is being looked at: whoever asked need not take us for dead
  try {
    const look = looks[ask.what];
    if (!look) throw new Error(`this agent knows no look "${ask.what}"`);
    const bytes = Buffer.from(JSON.stringify(await within(look(ask.input ?? {}, world), deadlineMs)));
    clearInterval(beat);
    for (let at = 0; at === 0 || at < bytes.length; at += partBytes)
      await send({ kind: 'answer', id, part: bytes.subarray(at, at + partBytes), last: at + partBytes >= bytes.length, failure: '' });
  } catch (error) {
    await send({ kind: 'answer', id, part: Buffer.alloc(0), last: true, failure: error instanceof Error ? error.message : String(error) }).catch(
      () => undefined,
    );
  }
}
function within<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the look took longer than ${ms / 1000} s`)), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
