import type { ServerDuplexStream } from '@grpc/grpc-js';
import { BadMessage, CallRefused, PeerUnreachable, statusOf } from './failures';
import type { AgentMessage__Output } from './gen/strata/agent/v1/AgentMessage';
import type { ServerMessage } from './gen/strata/agent/v1/ServerMessage';
import type { FromAgent, ToAgent } from './messages';
import type { Peer } from './peer';
import { SendQueue, type SendLimits } from './send-queue';
import { fromAgentOfWire, toAgentToWire } from './translate';

export type AgentCall = ServerDuplexStream<AgentMessage__Output, ServerMessage>;

/** How a link ended. `left`: the agent closed it; `lost`: the network or the process went away; `closed`: by us; `slow`, `bad-message`: cut for that. */
export interface LinkEnd {
  why: 'left' | 'lost' | 'closed' | 'slow' | 'bad-message' | 'failed';
  message: string;
}
/** What the server does with one agent's stream. */
export interface LinkListener {
  /** The next message is read only when this resolves, so a slow ledger slows the agent and not our memory. A rejection closes the link: with its own words for a CallRefused, without for anything else. */
  onMessage(message: FromAgent): Promise<void>;
  /** Once, as the last call. */
  onEnd(end: LinkEnd): void;
  /** Something went wrong here, not at the agent: for the log. */
  onError?(error: unknown): void;
}

const hardCutMs = 2_000;
const http2Cancel = 8;

/** The server's end of one agent's open stream. */
export class AgentLink {
  private readonly queue: SendQueue<ServerMessage>;
  private listener: LinkListener | undefined;
  private end: LinkEnd | undefined;
  private halfClosed = false;
  private busy = false;

  constructor(
    private readonly call: AgentCall,
    readonly peer: Peer,
    limits: SendLimits,
  ) {
    const write = (message: ServerMessage, written: (error?: Error | null) => void): void => void call.write(message, written);
    this.queue = new SendQueue(write, limits, () =>
      this.finish(
        { why: 'slow', message: `the agent took nothing for ${limits.stallMs / 1000} s` },
        new CallRefused('too-much', 'this stream was not read fast enough'),
      ),
    );
  }

  /** Bytes that the agent has not taken yet. */
  get bufferedBytes(): number {
    return this.queue.bufferedBytes;
  }

  get ended(): boolean {
    return this.end !== undefined;
  }

  /** Resolves when the network has taken the message. Rejects when too much waits already, or the link ends first. */
  send(message: ToAgent): Promise<void> {
    return this.queue.send(toAgentToWire(message));
  }

  /** Ends the stream: in peace, or with the reason why this agent is not served any more (revoked, another session took over). */
  close(refusal?: CallRefused): void {
    this.finish({ why: 'closed', message: refusal?.message ?? 'closed by the server' }, refusal);
  }

  /** Begins to read. Called once, by the server. */
  start(listener: LinkListener): void {
    this.listener = listener;
    this.call.on('data', (message: AgentMessage__Output) => void this.take(message));
    this.call.on('end', () => {
      this.halfClosed = true;
      if (!this.busy) this.finish({ why: 'left', message: 'the agent closed the session' });
    });
    this.call.on('cancelled', () => this.finish({ why: 'lost', message: 'the connection went away' }));
    this.call.on('error', () => undefined); // grpc-js answers the status from its own listener; ours keeps the process alive
  }

  private async take(wire: AgentMessage__Output): Promise<void> {
    this.call.pause();
    this.busy = true;
    try {
      const message = fromAgentOfWire(wire);
      if (message && !this.end) await this.listener?.onMessage(message);
    } catch (error) {
      const own = error instanceof BadMessage || error instanceof CallRefused;
      if (!own) this.listener?.onError?.(error);
      this.finish({ why: error instanceof BadMessage ? 'bad-message' : 'failed', message: (error as Error).message }, error);
    }
    this.busy = false;
    if (this.halfClosed) this.finish({ why: 'left', message: 'the agent closed the session' });
    else this.call.resume();
  }

  private finish(end: LinkEnd, error?: unknown): void {
    if (this.end) return;
    this.end = end;
    this.queue.close(new PeerUnreachable(`the session of node ${this.peer.nodeId} ended: ${end.message}`));
    if (error === undefined) this.call.end();
    else this.call.emit('error', statusOf(error));
    if (!this.call.cancelled) {
      const timer = setTimeout(() => resetStream(this.call), end.why === 'slow' ? 0 : hardCutMs).unref();
      this.call.once('cancelled', () => clearTimeout(timer));
      this.call.once('close', () => clearTimeout(timer));
    }
    this.call.resume(); // what the agent still says goes nowhere
    this.listener?.onEnd(end);
  }
}

/** grpc-js sends a status only after all that waits before it, which a peer that reads nothing never takes; so its HTTP/2 stream is reset. */
function resetStream(call: AgentCall): void {
  const inside = call as unknown as { call?: { stream?: { closed?: boolean; close?(code: number): void } } };
  if (inside.call?.stream?.closed === false) inside.call.stream.close?.(http2Cancel);
}
