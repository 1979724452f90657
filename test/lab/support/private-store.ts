import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Origin } from './forward-proxy';
import { must, root } from './program';

interface Image {
  version: string;
  blobs: { sha256: string; size: number; mediaType: string }[];
}

/** A catalog and an artifact store of a test's own: the machine's, out of which single artifacts can be taken, so that a server must obtain them anew. */
export class PrivateStore {
  private constructor(readonly dir: string) {}
  get catalogDir(): string {
    return join(this.dir, 'catalog');
  }
  get cacheDir(): string {
    return join(this.dir, 'cache');
  }
  private get artifacts(): string {
    return join(this.cacheDir, 'artifacts');
  }

  static async make(dir: string): Promise<PrivateStore> {
    const store = new PrivateStore(dir);
    mkdirSync(store.cacheDir, { recursive: true, mode: 0o755 });
    cpSync(join(root, 'catalog'), store.catalogDir, { recursive: true });
    // blobs are written once and never changed: links will do
    await must(['cp', '-al', '/var/cache/strata/artifacts', store.artifacts], { timeoutMs: 120_000 });
    for (const folder of ['work', 'locks']) rmSync(join(store.artifacts, folder), { recursive: true, force: true });
    return store;
  }

  /** Makes `pause` need a Go module that is in no cache, so that building it means fetching. */
  pauseNeedsModule(): void {
    const folder = join(this.catalogDir, 'recipes/pause');
    const sums = readFileSync(join(this.catalogDir, 'recipes/cni-plugins/1.9.1/go.sum'), 'utf8').split('\n').filter((l) => l.startsWith('github.com/pmezard/go-difflib v1.0.0')); // prettier-ignore
    if (sums.length !== 2) throw new Error('the module of this test is not pinned in the catalog any more: choose another small one');
    writeFileSync(join(folder, 'go.sum'), `${sums.join('\n')}\n`);
    writeFileSync(join(folder, 'go.mod'), 'module pause\n\ngo 1.21\n\nrequire github.com/pmezard/go-difflib v1.0.0\n');
    const main = readFileSync(join(folder, 'main.go'), 'utf8');
    writeFileSync(join(folder, 'main.go'), main.replace('\t"syscall"\n)', '\t"syscall"\n\n\t_ "github.com/pmezard/go-difflib/difflib"\n)'));
  }
  /** From now on the web image is pulled, not built. */
  webFrom(image: string): void {
    const file = join(this.catalogDir, 'web.yaml');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/- \{ from: recipe.*\}/, `- { from: registry, image: '${image}', publisher: the test }`));
  }
  /** Forgets an artifact with the blobs that no other one has, and all that was built on the way to any. */
  forget(artifact: string): void {
    const folder = join(this.artifacts, 'obtained');
    const blobsIn = (file: string): string[] => readFileSync(join(folder, file), 'utf8').match(/[0-9a-f]{64}/g) ?? [];
    const mine = readdirSync(folder).filter((file) => file.startsWith(`${artifact}@`));
    const shared = new Set(readdirSync(folder).filter((file) => !mine.includes(file)).flatMap(blobsIn)); // prettier-ignore
    for (const sha256 of mine.flatMap(blobsIn)) if (!shared.has(sha256)) rmSync(join(this.artifacts, 'blobs/sha256', sha256), { force: true });
    for (const file of mine) rmSync(join(folder, file));
    for (const name of ['built', 'pinned']) rmSync(join(this.artifacts, name), { recursive: true, force: true });
    for (const name of ['built', 'pinned']) mkdirSync(join(this.artifacts, name));
  }
  image(name: string): Image {
    const file = readdirSync('/var/cache/strata/artifacts/obtained').find((f) => f.startsWith(`${name}@`));
    if (file === undefined) throw new Error(`${name} is not in the machine's store: run \`strata quickstart\` once`);
    return JSON.parse(readFileSync(join('/var/cache/strata/artifacts/obtained', file), 'utf8')) as Image;
  }

  /** A registry that serves an image of the machine's store under any name and tag. */
  registryOf(image: Image): Origin {
    const [manifest] = image.blobs;
    return (request, response) => {
      const [, kind, ref] = /^\/v2\/.+\/(manifests|blobs)\/([^/?]+)/.exec(request.url ?? '') ?? [];
      if (kind === undefined) return void response.writeHead(200).end();
      const wanted = ref?.startsWith('sha256:') ? ref.slice(7) : manifest?.sha256;
      const blob = image.blobs.find((b) => b.sha256 === wanted);
      if (!blob) return void response.writeHead(404).end();
      const headers = { 'content-type': blob.mediaType, 'content-length': blob.size, 'docker-content-digest': `sha256:${blob.sha256}` };
      response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : readFileSync(`/var/cache/strata/artifacts/blobs/sha256/${blob.sha256}`));
    };
  }
}
