import { z } from 'zod';
import type { Host } from '../ports/host';

/** The run that a step belongs to, where what it did counts in that run only. */
export const RunId = z.string().regex(/^[A-Za-z0-9-]{1,64}$/);

/** Whether a note on this machine says that this run was here. */
export const isOfRun = async (host: Host, note: string, run: string): Promise<boolean> => (await host.files.read(note)) === `${run}\n`;
export const noteRun = (host: Host, note: string, run: string): Promise<void> => host.files.write(note, `${run}\n`, { mode: 0o600 });
