import { readFile } from 'node:fs/promises';
import type { Host } from '@strata/tasks';
import { gatherFacts, TaskError } from '@strata/tasks';
import { localArtifacts } from './artifacts';
import { localBucket } from './bucket';
import { runDurable } from './durable';
import { localSource } from './fact-source';
import { localFiles } from './files';
import { localImages } from './images';
import { localMetadata } from './metadata-store';
import { localKernel, localMounts, localNetwork, localUsers } from './machine';
import type { LocalHostOptions } from './options';
import { localPackages } from './packages';
import { runProgram, tail, which } from './programs';
import { localUnits } from './units';

/** The machine this process runs on, as root. Nothing is kept open; make one for each order, so that durable programs bear its name. */
export function localHost(options: LocalHostOptions): Host {
  const artifacts = localArtifacts(options);
  return {
    files: localFiles(options.stateDir, options.artifacts && ((artifact) => artifacts.fetch([artifact], {}))),
    programs: {
      run: (argv, o = {}) => (o.durable === undefined ? runProgram(argv, o) : runDurable(argv, { ...o, durable: o.durable }, options)),
      which,
    },
    units: localUnits(),
    packages: localPackages(options),
    kernel: localKernel(),
    mounts: localMounts(),
    network: localNetwork(),
    artifacts,
    images: (place) => localImages(options, place),
    users: localUsers(),
    bucket: localBucket,
    metadataStore: localMetadata,
    facts: (...only) => gatherFacts(localSource, ...only),
    hostname: async () => (await readFile('/proc/sys/kernel/hostname', 'utf8')).trim(),
    setHostname: async (name) => {
      const r = await runProgram(['hostname', name], { timeoutMs: 10_000 });
      if (r.code !== 0)
        throw new TaskError('hostname-refused', `the host name could not be set to ${name}`, {
          remedy: 'see whether this machine lets root set its name',
          detail: tail(r.stderr, 3),
        });
    },
  };
}
