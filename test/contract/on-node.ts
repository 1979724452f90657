import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { build } from 'esbuild';

const root = join(__dirname, '../..');
const labProgram = join(root, 'apps/lab/dist-bundle/lab.cjs');
const remote = '/var/tmp/strata-contract-run';

/** The lab node that STRATA_CONTRACT_NODE names, as `LAB/NODE`, or null: then the contract runs on the memory machine alone. */
export const contractNode = (): string | null => process.env.STRATA_CONTRACT_NODE ?? null;

async function onNode(node: string, argv: readonly string[], input?: string): Promise<string> {
  const [lab = '', name = ''] = node.split('/');
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [labProgram, 'exec', '--name', lab, name, '--', ...argv],
      { maxBuffer: 1 << 24, timeout: 280_000 },
      (error, stdout, stderr) => (error ? reject(new Error(`${argv.join(' ')} on ${node}: ${error.message}\n${stdout}\n${stderr}`)) : resolve(stdout)),
    );
    if (!child.stdin) return;
    if (input === undefined) child.stdin.end();
    else pipeline(createReadStream(input), child.stdin).catch(reject);
  });
}

/** Runs the whole contract on a lab node, with the real host, in a Node that is there for this alone. Gives each case's error, or null. */
export async function contractOnNode(node: string): Promise<Map<string, string | null>> {
  const folder = await mkdtemp(join(tmpdir(), 'strata-contract-'));
  try {
    const outfile = join(folder, 'contract.cjs');
    await build({
      entryPoints: [join(__dirname, 'run-contract.ts')],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      conditions: ['@strata/source'],
      outfile,
      logLevel: 'error',
    });
    await onNode(node, ['mkdir', '-p', remote]);
    for (const [from, to] of [[outfile, 'contract.cjs'], [process.execPath, 'node']] as const) await onNode(node, ['dd', 'status=none', 'bs=1M', `of=${remote}/${to}`], from); // prettier-ignore
    await onNode(node, ['chmod', '755', `${remote}/node`]);
    const out = await onNode(node, [`${remote}/node`, `${remote}/contract.cjs`, 'all']);
    return new Map(out.split('\n').filter((l) => l.startsWith('{')).map((l) => JSON.parse(l) as { name: string; error: string | null }).map((r) => [r.name, r.error])); // prettier-ignore
  } finally {
    await onNode(node, ['rm', '-rf', remote]).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}
