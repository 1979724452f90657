import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Settings } from '../settings';

const names = { api: 'apiPort', agents: 'agentPort', enrollment: 'enrollPort', artifacts: 'artifactPort' } as const;

/**
 * Refuses to start beside a program that has one of our ports: all of them are named at once, with the setting that chooses another.
 * `strata up` knows these words (`is taken by another program`) and does not wait then.
 * @throws Error naming each port that cannot be listened on
 */
export async function mustBeFree({ listen, home }: Pick<Settings, 'listen' | 'home'>): Promise<void> {
  const wrong: string[] = [];
  for (const [listener, setting] of Object.entries(names)) {
    const { host, port } = listen[listener as keyof typeof names];
    const because = port === 0 ? null : await refusal(host, port);
    if (because === null) continue;
    const words = because === 'EADDRINUSE' ? 'is taken by another program (`ss -ltnp` shows which)' : `of ${host} cannot be listened on (${because})`;
    wrong.push(`port ${port} ${words}: stop that, or choose another as ${setting} in ${join(home, 'server.yaml')}`);
  }
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
}

/** The system's word for why it cannot be listened on; null when it can. */
function refusal(host: string, port: number): Promise<string | null> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => done(null)));
  });
}
