import { createHash } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Bundle, isChart, ManifestObject } from '@strata/model';
import { LineCounter, parseAllDocuments } from 'yaml';
import { placeIn, plainValue, readYaml } from './yaml-file';

/** A component with what its files hold. `digest`: sha256 of a chart's files. */
export interface ReadComponent {
  component: Bundle['components'][number];
  objects: ManifestObject[];
  digest: string | null;
}
export interface ReadBundle {
  bundle: Bundle;
  components: ReadComponent[];
}
const largestFile = 1024 * 1024; // what etcd takes of one object, and more than a chart's file ever has
const mostFiles = 500;

/** Reads a bundle's folder. @throws Error with FILE:LINE:COLUMN and what is wrong there, all of a file at once */
export async function readBundle(dir: string): Promise<ReadBundle> {
  await mustBeItsOwn(dir, 'bundle.yaml', 'file');
  const bundle = await readYaml(join(dir, 'bundle.yaml'), Bundle);
  const components: ReadComponent[] = [];
  for (const component of bundle.components) {
    const files = 'manifests' in component ? component.manifests : component.kind === 'operator' ? (component.resources ?? []) : [];
    const objects = (await Promise.all(files.map((f) => manifestsIn(dir, f)))).flat();
    if (component.kind === 'crds') mustBeDefinitions(objects, join(dir, files[0] ?? ''));
    if (isChart(component)) await mustBeItsOwn(dir, component.chart, 'folder');
    if (isChart(component) && component.perGroup === true) await mustTakeGroups(join(dir, component.chart));
    components.push({ component, objects, digest: isChart(component) ? await chartDigest(join(dir, component.chart)) : null });
  }
  return { bundle, components };
}
/**
 * Whether a part of a bundle is a plain file or a folder, and lies in the bundle. Looked at before anything is opened, which may never return with a pipe.
 * What is not there is told by whoever reads it. @throws Error for links, also on the way to it, and for devices and pipes
 */
async function mustBeItsOwn(dir: string, path: string, kind: 'file' | 'folder'): Promise<void> {
  const parts = path.split('/');
  for (const [i] of parts.entries()) {
    const at = join(dir, ...parts.slice(0, i + 1));
    const is = await lstat(at).catch(() => null);
    if (is === null) return;
    if (is.isSymbolicLink()) throw new Error(`${at} is a link: what a bundle holds lies in its own folder; put a copy there`);
    const last = i === parts.length - 1;
    if (last && kind === 'file' ? !is.isFile() : !is.isDirectory()) throw new Error(`${at} is no plain ${last ? kind : 'folder'}: a bundle is made of plain files and folders`); // prettier-ignore
  }
}
function mustBeDefinitions(objects: readonly ManifestObject[], file: string): void {
  const other = objects.find((o) => o.kind !== 'CustomResourceDefinition');
  if (other) throw new Error(`${file}:1:1: ${other.kind} ${other.metadata.name} is no definition of a custom resource: put it into a component of kind manifests`);
} // prettier-ignore

/** @throws Error where a chart that is to take values of groups of nodes has no use for them */
async function mustTakeGroups(dir: string): Promise<void> {
  const texts = await Promise.all((await filesBelow(dir, '')).filter((f) => f.startsWith('templates/')).map((f) => readFile(join(dir, f), 'utf8')));
  if (!texts.some((t) => t.includes('.Values.nodeGroups'))) throw new Error(`${dir}: it is said to take values of groups of nodes (perGroup), but no template has .Values.nodeGroups`); // prettier-ignore
}

/** The objects of a manifest file, in their order. @throws Error with FILE:LINE:COLUMN */
async function manifestsIn(dir: string, path: string): Promise<ManifestObject[]> {
  const file = join(dir, path);
  await mustBeItsOwn(dir, path, 'file');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`${file} cannot be read: bundle.yaml names it`, { cause });
  });
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true });
  const at = placeIn(file, lines);
  const objects: ManifestObject[] = [];
  for (const document of documents) {
    const [error] = document.errors;
    if (error) throw new Error(`${at(error.pos[0])}: ${error.message.split('\n')[0] ?? ''}`);
    const value = plainValue(document, at, 50);
    if (value === null || value === undefined) continue;
    const parsed = ManifestObject.safeParse(value);
    if (!parsed.success) throw new Error(`${at(document.range[0])}: no object of Kubernetes: ${parsed.error.issues[0]?.path.join('.') ?? ''}: ${parsed.error.issues[0]?.message ?? ''}`);
    objects.push(parsed.data);
  }
  if (objects.length === 0) throw new Error(`${file}:1:1: there is no object in it: write one, or take the file out of bundle.yaml`);
  return objects;
} // prettier-ignore

/**
 * The sha256 of all files of a chart, by name and content. A chart is plain files and folders: what a link names is somebody else's, and is refused.
 * @throws Error where it has no Chart.yaml, and for links, devices and files that are too large
 */
export async function chartDigest(dir: string): Promise<string> {
  const hash = createHash('sha256');
  if ((await lstat(dir).catch(() => null))?.isSymbolicLink() === true) throw new Error(`${dir} is a link: a chart is a folder of its own; put a copy there`);
  const files = await filesBelow(dir, '');
  if (!files.includes('Chart.yaml')) throw new Error(`${dir}: there is no Chart.yaml: a chart is a folder with one`);
  for (const name of files) {
    const content = await readFile(join(dir, name));
    hash.update(`${name.length} ${name} ${content.length} `).update(content);
  }
  return hash.digest('hex');
}
/** The plain files below a folder, sorted. @throws Error for links, devices, and more or larger ones than a bundle has */
export async function filesBelow(root: string, at: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of (await readdir(join(root, at)).catch(() => [])).sort()) {
    const path = at === '' ? name : `${at}/${name}`;
    const is = await lstat(join(root, path));
    if (is.isDirectory()) found.push(...(await filesBelow(root, path)));
    else if (!is.isFile()) throw new Error(`${join(root, path)} is a link or a device: a chart is made of plain files alone`);
    else if (is.size > largestFile) throw new Error(`${join(root, path)} has ${is.size} bytes: a file of a chart has ${largestFile} at most`);
    else found.push(path);
    if (found.length > mostFiles) throw new Error(`${root} has more than ${mostFiles} files`);
  }
  return found;
}
