import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { FromAgentBodies } from '@strata/wire';
import type { Session } from './sessions';

const mostBytes = 32 << 20;
/** An agent did not answer a look, and why. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}
interface Waiting {
  session: Session;
  parts: Buffer[];
  bytes: number;
  give: (value: unknown) => void;
  fail: (error: NoAnswer) => void;
  timer: NodeJS.Timeout | undefined;
}

/** Looks that agents are asked for outside any run: nothing of them is in the ledger, since nothing is changed. The one exception, `volume`, is ADR 12's. */
@Injectable()
export class Asks {
  private readonly waiting = new Map<string, Waiting>();

  /**
   * What the agent found, as JSON that is not parsed by any schema yet. An agent that is at work says so every 2 s.
   * @param silenceMs how long it may say nothing at all @throws NoAnswer
   */
  async ask(session: Session, look: { what: string; input?: unknown }, silenceMs: number): Promise<unknown> {
    if (session.hello.looks?.includes(look.what) !== true)
      throw new NoAnswer(`the agent of ${session.name} (${session.hello.agentVersion}) is older than this look: update it with strata apply`);
    const id = randomUUID();
    const answer = new Promise<unknown>((give, fail) => {
      const timer = setTimeout(() => fail(new NoAnswer(`the agent of ${session.name} has a session but did not answer in ${silenceMs / 1000} s`)), silenceMs);
      this.waiting.set(id, { session, parts: [], bytes: 0, give, fail, timer });
    });
    answer.catch(() => undefined); // while the question is being sent nobody listens yet
    try {
      await session.link.send({ kind: 'ask', id, what: look.what, input: look.input ?? {} }).catch((cause: Error) => {
        throw new NoAnswer(`the agent of ${session.name} could not be asked: ${cause.message}`, { cause });
      });
      return await answer;
    } finally {
      clearTimeout(this.waiting.get(id)?.timer);
      this.waiting.delete(id);
    }
  }

  /** A part of an answer. One that nobody waits for, or that came from another node, is left out. */
  answered(session: Session, said: FromAgentBodies['answer']): void {
    const w = this.waiting.get(said.id);
    if (w?.session !== session) return;
    if (said.failure !== '') return w.fail(new NoAnswer(`the agent of ${session.name} says: ${said.failure}`));
    w.timer?.refresh();
    w.parts.push(said.part);
    w.bytes += said.part.length;
    if (w.bytes > mostBytes) return w.fail(new NoAnswer(`the agent of ${session.name} says more than ${mostBytes >> 20} MiB`));
    if (!said.last) return;
    try {
      w.give(JSON.parse(Buffer.concat(w.parts).toString('utf8')));
    } catch (cause) {
      w.fail(new NoAnswer(`the agent of ${session.name} answered what cannot be read`, { cause }));
    }
  }
  /** No answer comes any more through a session that is over. */
  ended(session: Session): void {
    for (const w of this.waiting.values()) if (w.session === session) w.fail(new NoAnswer(`the session of ${session.name} ended`));
  }
}
