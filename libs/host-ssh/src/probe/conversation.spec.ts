import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation } from './conversation';
import { perlStart, probes, pythonStart } from './node-probe';

/** Both programs hold the same conversation: what one machine's Perl says, another's Python says too. */
const languages = [
  ['perl', ['perl', '-e', perlStart]],
  ['python3', ['python3', '-c', pythonStart]],
] as const;
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function started(language: 'perl' | 'python3', argv: readonly string[]): Promise<{ talk: Conversation; child: ChildProcessWithoutNullStreams }> {
  const child = spawn(argv[0]!, argv.slice(1), { stdio: 'pipe' });
  ends.push(() => void child.kill('SIGKILL'));
  let said = '';
  const talk = new Conversation((line) => child.stdin.write(line));
  child.stdout.on('data', (d: Buffer) => talk.receive(d.toString('latin1')));
  child.stderr.on('data', (d: Buffer) => (said += d.toString()));
  child.on('close', (code) => talk.end(new Error(`${language} ended with ${code}: ${said}`)));
  const runs = talk.first(0, 10_000);
  const program = Buffer.from(probes[language], 'latin1');
  child.stdin.write(`${program.length}\n`);
  child.stdin.write(program);
  await runs;
  return { talk, child };
}
async function taken(): Promise<{ port: number; server: Server }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close());
  return { port: (server.address() as AddressInfo).port, server };
}
const freePort = async (): Promise<number> => {
  const { port, server } = await taken();
  await new Promise((resolve) => server.close(resolve));
  return port;
};

describe.each(languages)('the probe in %s', (language, argv) => {
  const begin = (): ReturnType<typeof started> => started(language, argv);

  test('listens, says which port is taken, answers tries, and sees what arrives', async () => {
    const { talk } = await begin();
    const [free, held, closed] = [await freePort(), (await taken()).port, await freePort()];
    const opened = await talk.listen('n1', '127.0.0.1', [{ proto: 'tcp', port: free }, { proto: 'udp', port: free }, { proto: 'tcp', port: held }]); // prettier-ignore
    expect(opened.listeners).toEqual([{ proto: 'tcp', port: free, errno: 0 }, { proto: 'udp', port: free, errno: 0 }, { proto: 'tcp', port: held, errno: 98 }]); // prettier-ignore
    const at = { address: '127.0.0.1', port: free };
    const tried = await talk.tries(
      [
        { kind: 'tcp', ...at },
        { kind: 'udp', ...at },
        { kind: 'udp', ...at, size: 1500 },
        { kind: 'udp', ...at, size: 65_535 + 28 },
        { kind: 'tcp', address: '127.0.0.1', port: closed },
        { kind: 'udp', address: '127.0.0.1', port: closed, sends: 2 },
      ],
      2_000,
    );
    expect(tried.map((t) => [t.how, t.errno])).toEqual([['ok', 0], ['ok', 0], ['ok', 0], ['no', 90], ['no', 111], ['no', 111]]); // prettier-ignore
    expect(tried[1]!.us).toBeGreaterThan(0);
    if (opened.sniffs)
      expect(await talk.seen()).toEqual([
        { address: '127.0.0.1', proto: 'tcp', port: free, from: '-' },
        { address: '127.0.0.1', proto: 'udp', port: free, from: 'n1' },
      ]);
  });

  test('measures a flow by what the receiver counted, and the disk by writes that leave nothing', async () => {
    const { talk } = await begin();
    const port = await freePort();
    await talk.listen('n1', '127.0.0.1', [{ proto: 'tcp', port }]);
    const flow = await talk.flow({ address: '127.0.0.1', port }, { bytes: 4 << 20, ms: 2_000 });
    expect(flow!.bytes).toBeGreaterThanOrEqual(4 << 20);
    expect(await talk.flow({ address: '127.0.0.1', port: await freePort() }, { bytes: 1 << 20, ms: 200 })).toBeNull();
    const dir = mkdtempSync(join(tmpdir(), 'probe-'));
    const us = await talk.sync(`${dir}/not/there/yet`, 8, 2_000);
    expect(us.length).toBeGreaterThan(0);
    expect(us.every((n) => n >= 0)).toBe(true);
    expect(readdirSync(dir)).toEqual([]);
    rmSync(dir, { recursive: true });
  });

  test('nothing comes: late, and not before its time', async () => {
    const { talk } = await begin();
    const port = await freePort();
    await talk.listen('n1', '127.0.0.1', [{ proto: 'udp', port }]);
    // too short for the words that the listener answers to
    const tried = await talk.tries([{ kind: 'icmp', address: '127.0.0.2', port: 0, size: 84 }, { kind: 'udp', address: '127.0.0.1', port, delayMs: 50 }], 300); // prettier-ignore
    expect(tried.map((t) => t.how)).toEqual([process.getuid?.() === 0 ? 'ok' : 'no', 'ok']);
  });

  test('ends with its input, and so do its listeners', async () => {
    const { talk, child } = await begin();
    const port = await freePort();
    await talk.listen('n1', '127.0.0.1', [{ proto: 'tcp', port }]);
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.stdin.end();
    expect(await gone).toBe(0);
    await expect(talk.seen()).rejects.toThrow(/ended with 0/);
    const server = createServer();
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
    await new Promise((resolve) => server.close(resolve));
  });
});

test('what is no word is not sent', async () => {
  const sent: string[] = [];
  const talk = new Conversation((line) => sent.push(line));
  await expect(talk.sync('/var/lib; rm', 1, 1)).rejects.toThrow(/cannot be told/);
  expect(sent).toEqual([]);
  talk.end(new Error('over'));
});
test('lines of others are passed over, and answers may come in pieces', async () => {
  const talk = new Conversation(() => undefined);
  const seen = talk.seen();
  talk.receive('Welcome!\n{"id":"odd"}\n{"id":1,"se');
  talk.receive('en":[["10.0.0.1","udp",8472,"n2"]]}\n');
  expect(await seen).toEqual([{ address: '10.0.0.1', proto: 'udp', port: 8472, from: 'n2' }]);
});
