import 'reflect-metadata';
import { loadSettings } from './settings';

const usage = 'usage: server serve|supervise [--home DIR] [--advertise ADDRESS]…   (what `strata up` starts)';

async function main(argv: readonly string[]): Promise<void> {
  const [command, ...rest] = argv;
  if (command === 'supervise') {
    const { supervise } = await import('./supervisor/index.js'); // loaded apart: the supervisor needs neither Nest nor Prisma in memory
    process.exitCode = await supervise(rest);
    return;
  }
  if (command !== 'serve') {
    process.stderr.write(`${usage}\n`);
    process.exitCode = 2;
    return;
  }
  const give = (because: string): void => {
    process.stderr.write(`the control server ends: ${because}\n`);
    process.exit(1);
  };
  const { serve } = await import('./serve/serve.js');
  const serving = await serve(loadSettings(process.env, rest), give);
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      void serving.stop().then(() => process.exit(0), (error: unknown) => give(String(error))); // prettier-ignore
    });
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const causes: string[] = [];
  for (let e: unknown = error instanceof Error ? error.cause : undefined; e instanceof Error; e = e.cause) causes.push(`  because ${e.message}`);
  process.stderr.write([`the control server did not start: ${error instanceof Error ? error.message : String(error)}`, ...causes, ''].join('\n'));
  process.exit(1);
});
