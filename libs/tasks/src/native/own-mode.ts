import type { Host } from '../ports/host';

/** The mode of a file that is written anew in its place; undefined when there is none, or a link: a link's own mode says nothing. */
export async function ownMode(host: Host, path: string): Promise<number | undefined> {
  const stat = await host.files.stat(path);
  return stat?.kind === 'file' ? stat.mode : undefined;
}
