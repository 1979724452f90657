import { CertificatePem, MirrorUrl, ProxyInput } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { strataMark } from '../facts/software';
import { differing, FileImages, imagesOf, restoreAll, type WrittenFile } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { runtimePaths } from '../runtime-place';
import { blocker } from './findings';
import { hasBlock, withBlock, withoutBlock } from './marked-block';
import { aptConfig, aptConfigText, aptFacts, aptSources, aptSourcesText, dnfConfig, dnfLines, type OutsideSettings } from './outside-files';
import { ownMode } from './own-mode';
import { anchorPaths, distrusted, restoreAnchors, takeUpAnchors, trustStore, writeAnchors } from './trust-store';

interface Wanted {
  /** Files that are ours alone; null: not there. */
  files: { path: string; content: string | null }[];
  /** Our lines in dnf's configuration; null where there is no dnf. */
  dnf: string[] | null;
}
async function wanted(host: Host, input: OutsideSettings): Promise<Wanted> {
  const { packageManager } = await host.facts('packageManager');
  if (packageManager === 'dnf') return { files: [], dnf: dnfLines(input) };
  if (packageManager === null) return { files: [], dnf: null };
  const facts = await aptFacts(host);
  return { files: [{ path: aptSources, content: aptSourcesText(input, facts) }, { path: aptConfig, content: aptConfigText(input, facts) }], dnf: null }; // prettier-ignore
}
/** The words for what is not as wanted, or null. */
async function lacking(host: Host, input: OutsideSettings): Promise<string | null> {
  const { files, dnf } = await wanted(host, input);
  for (const { path, content } of files) if (content === null && (await host.files.stat(path)) !== null) return `${path} is not in the spec any more`;
  const words = await differing(host, files.filter((f): f is WrittenFile => f.content !== null)); // prettier-ignore
  if (words !== null) return words;
  if (dnf !== null) {
    const text = (await host.files.read(dnfConfig)) ?? '';
    if (text !== withBlock(text, dnf)) return `${dnfConfig} lacks our part or holds an older one`;
  }
  return distrusted(host, input.certificates);
}

/**
 * Proxies, mirrors and own certificates, for the package manager and whoever trusts what this machine trusts. Nothing that concerns the cluster's own
 * traffic is set: no variable of the environment.
 */
export const outsideConfigure = defineTask({
  name: 'outside.configure', version: 1, layer: 'native', timeout: '5m', attempts: 3,
  title: 'Downloads take the way that the spec names',
  input: z.strictObject({
    proxy: ProxyInput,
    certificates: z.array(CertificatePem),
    apt: z.strictObject({ mirror: MirrorUrl.optional(), securityMirror: MirrorUrl.optional() }),
    packagesFrom: z.literal('server').optional(),
  }),
  before: z.strictObject({ images: FileImages, bundle: FileImages, dnf: FileImages, anchors: FileImages }),
  output: z.strictObject({}),
  async check({ host, input }) {
    if (input.apt.mirror !== undefined && (await host.facts('packageManager')).packageManager === 'apt' && (await aptFacts(host)).release.codename === '')
      return { state: 'refused', findings: [blocker('apt.codename', 'this machine does not say which release it is (VERSION_CODENAME in /etc/os-release), so no mirror can be named', 'leave `native.apt.mirror` out, and set its sources yourself')] };
    const reason = await lacking(host, input);
    if (reason === null) return { state: 'satisfied', output: {} };
    const [images, bundle, dnf] = [await imagesOf(host, [aptSources, aptConfig]), await imagesOf(host, [(await trustStore(host)).bundle]), await imagesOf(host, [dnfConfig])];
    return { state: 'unsatisfied', reason, before: { images, bundle, dnf, anchors: await imagesOf(host, await anchorPaths(host)) } };
  },
  async apply({ host, input }) {
    const { files, dnf } = await wanted(host, input);
    for (const { path, content } of files) {
      if (content === null) await host.files.remove(path);
      else await host.files.write(path, content);
    }
    if (dnf !== null) await writeDnf(host, dnf);
    await writeAnchors(host, input.certificates);
  },
  async verify({ host, input, before }) {
    if (input.certificates.length === 0 && !before.anchors.files.some((f) => f.kind === 'file')) return;
    await takeUpAnchors(host, input.certificates);
    for (const { unit, unitFile } of [runtimePaths.own, runtimePaths.beside]) {
      const ours = ((await host.files.read(unitFile)) ?? '').includes(strataMark);
      if (ours && (await host.units.state(unit)).active === 'active') await host.units.restart(unit); // it reads the list at its start; containers go on
    }
  },
  async undo({ host, before }) {
    await restoreAnchors(host, before.anchors);
    const { update } = await trustStore(host);
    // a list that nobody but us has written; one with a program behind it is not ours to remove, whoever brought it
    if (before.bundle.files.every((f) => f.kind === 'absent') && (await host.programs.which(update)) === null) await restoreAll(host, before.bundle);
    const dnf = await host.files.read(dnfConfig);
    if (dnf !== null && hasBlock(dnf)) await writeDnf(host, []);
    if (before.dnf.files.some((f) => f.kind === 'absent') && (await host.files.read(dnfConfig)) === '') await restoreAll(host, before.dnf);
    await restoreAll(host, before.images);
  },
}); // prettier-ignore

async function writeDnf(host: Host, lines: readonly string[]): Promise<void> {
  const text = (await host.files.read(dnfConfig)) ?? '';
  const next = lines.length === 0 ? withoutBlock(text) : withBlock(text, lines);
  if (next !== text) await host.files.write(dnfConfig, next, { mode: await ownMode(host, dnfConfig) });
}
