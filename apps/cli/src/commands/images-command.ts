import type { ImagesView, NodeImage } from '@strata/model';
import type { Command } from 'commander';
import { table } from '../output/table';
import { type Cli, type ContextFlags, type OutputFlags, show, theCluster, withCluster, withContext, withOutput, withServer } from './cli';

type Flags = ContextFlags & OutputFlags & { cluster?: string; node?: string };

/** images: what each node has of the images that it is to have; ends with 1 when one is not as it should be. */
export function addImagesCommand(program: Command, cli: Cli): void {
  const words = 'the images that nodes are to have, and whether each has them; ends with 1 when one has not';
  withOutput(withCluster(withContext(program.command('images').description(words))))
    .option('--node <name>', 'only those of this node')
    .action((flags: Flags) =>
      withServer(cli, flags, async (client) => {
        const all = await client.images(await theCluster(client, flags.cluster));
        const nodes = all.nodes.filter((n) => flags.node === undefined || n.name === flags.node);
        show(cli, flags, { value: { ...all, nodes }, words: () => imagesText({ ...all, nodes }) });
        if (nodes.some((n) => n.missing !== null || n.images.some((i) => i.state !== 'here'))) cli.exit(1);
      }),
    );
}

const words: Readonly<Record<NodeImage['state'], string>> = {
  here: 'is here',
  absent: 'is not here; the agent brings it back',
  broken: 'is not whole; the agent brings it back',
  other: 'leads to other content than planned; strata apply imports it anew',
  unpinned: 'may be collected by kubelet; strata apply pins it',
};
/** A line an image, with how many nodes have it, and below it what is not as it should be. */
export function imagesText({ nodes }: ImagesView): string {
  const refs = [...new Set(nodes.flatMap((n) => n.images.map((i) => i.ref)))].sort();
  const rows = refs.map((ref) => {
    const wanted = nodes.flatMap((n) => n.images.filter((i) => i.ref === ref));
    const here = wanted.filter((i) => i.state === 'here' || i.state === 'unpinned').length;
    return [ref, `${((wanted[0]?.bytes ?? 0) / 1e6).toFixed(1)} MB`, `${here} of ${wanted.length}`];
  });
  const wrong = nodes.flatMap((n) => n.images.filter((i) => i.state !== 'here').map((i) => `${n.name}: ${i.ref} ${words[i.state]}`));
  const unknown = nodes.filter((n) => n.missing !== null).map((n) => `${n.name}: ${n.missing ?? ''}`);
  return [rows.length === 0 ? 'no images' : table(['IMAGE', 'SIZE', 'NODES'], rows), ...wrong, ...unknown].join('\n');
}
