import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CliError } from '../cli-error';
import { exitCodes } from '@strata/model';

/** The directory that this installation of Strata lives in: the nearest one above that has `nx.json`. */
export function installRoot(from: string = __dirname): string {
  for (let dir = from; dir !== dirname(dir); dir = dirname(dir)) if (existsSync(join(dir, 'nx.json'))) return dir;
  throw new CliError(`${from} is not inside a clone of Strata`, { exitCode: exitCodes.failed, remedy: 'run ./strata of a clone' });
}

/** A built program of this installation. @throws CliError that says how to build it */
export function bundleOf(app: 'server' | 'lab', file: string): string {
  const path = join(installRoot(), 'apps', app, 'dist-bundle', file);
  if (!existsSync(path)) throw new CliError(`${path} is not built yet`, { exitCode: exitCodes.failed, remedy: 'npm run build' });
  return path;
}
