import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { CatalogEntry } from '@strata/model';
import { writeLocks } from './built';
import { findEntry, loadCatalog } from './catalog';
import { reasonOf } from './failure';
import { obtainAll, type PrepareProgress } from './prepare';
import { ArtifactStore } from './store';

const usage = `Usage: obtain-main [--catalog DIR] [--store DIR] [--mirror DIR]... [--json] [--all] [--unofficial] [--write-locks] [NAME[@VERSION]]...
Puts artifacts into the store: from a mirror, the vendor, or built here. Without names: what the quickstart uses.
--json prints one progress object a line. --unofficial also takes what is not published by its vendor. --write-locks adds what was built to DIR/locks.yaml.`;

/** What a cluster of the `kubernetes` distribution with flannel, Helm and the web workload needs. */
const quickstart = [
  ...['image-pause', 'image-web', 'runc', 'containerd', 'cni-plugins', 'kubeadm', 'kubelet', 'kubectl'],
  ...['image-kube-apiserver', 'image-kube-controller-manager', 'image-kube-scheduler', 'image-kube-proxy'],
  ...['image-etcd', 'etcdctl', 'etcdutl', 'image-coredns', 'image-flannel', 'helm'],
];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      catalog: { type: 'string', default: resolve(__dirname, '../../../catalog') },
      store: { type: 'string' },
      mirror: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      unofficial: { type: 'boolean', default: false },
      'write-locks': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return void process.stdout.write(`${usage}\n`);
  const store = values.store ? new ArtifactStore(resolve(values.store)) : ArtifactStore.ofMachine(process.env);
  const catalog = await loadCatalog(values.catalog, store);
  const pick = (name: string): CatalogEntry => findEntry(catalog, ...(name.split('@') as [string, string?]));
  const names = positionals.length > 0 ? positionals : quickstart;
  const entries = values.all ? catalog.entries : names.map(pick);
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort(new Error(`stopped by ${signal}`)));
  const artifacts = await obtainAll(entries, {
    store,
    catalogDir: values.catalog,
    mirrorDirs: values.mirror,
    allowUnofficial: values.unofficial,
    signal: abort.signal,
    progress: values.json ? (p) => process.stdout.write(`${JSON.stringify(p)}\n`) : lines(),
  });
  if (values['write-locks']) await writeLocks(store, values.catalog);
  if (!values.json) process.stdout.write(`${artifacts.length} artifacts are in ${join(store.dir)}\n`);
}

/** Plain lines, a repeated note at most every 10 s. */
function lines(): (p: PrepareProgress) => void {
  let last = { note: '', at: 0 };
  return (p) => {
    const note = p.note.replace(/, .*\d+ s$/, '');
    if (p.state === 'working' && note === last.note && Date.now() - last.at < 10_000) return;
    last = { note, at: Date.now() };
    const bytes = p.total > 0 ? ` ${(p.bytes / 1e6).toFixed(1)} of ${(p.total / 1e6).toFixed(1)} MB` : '';
    process.stdout.write(`[${p.index}/${p.count}] ${p.artifact} ${(p.elapsedMs / 1000).toFixed(1)} s: ${p.note}${bytes}\n`);
  };
}

main().catch((error: unknown) => {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exitCode = 1;
});
