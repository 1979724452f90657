import { type FileImages, restoreAll } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';

/** The machine's own list of certificates that it trusts, and how something of ours comes into it. */
interface Store {
  anchors: string;
  ending: string;
  bundle: string;
  update: string;
  package: string;
}
const debian: Store = {
  anchors: '/usr/local/share/ca-certificates',
  ending: '.crt',
  bundle: '/etc/ssl/certs/ca-certificates.crt',
  update: 'update-ca-certificates',
  package: 'ca-certificates',
};
const fedora: Store = {
  anchors: '/etc/pki/ca-trust/source/anchors',
  ending: '.pem',
  bundle: '/etc/pki/tls/certs/ca-bundle.crt',
  update: 'update-ca-trust',
  package: 'ca-certificates',
};
/** The first line of a bundle that we wrote where there was none: the package that brings the real one writes over it. */
const mark = '# Written by Strata\n';
const links = '/etc/ssl/certs';

export async function trustStore(host: Host): Promise<Store> {
  return (await host.facts('packageManager')).packageManager === 'dnf' ? fedora : debian;
}
const own = (s: Store, n: number): string => `${s.anchors}/strata-ca-${n + 1}${s.ending}`;
async function ownAnchors(host: Host, s: Store): Promise<string[]> {
  return (await host.files.list(s.anchors)).filter((name) => /^strata-ca-\d+\.(crt|pem)$/.test(name)).map((name) => `${s.anchors}/${name}`);
}
/** Those of ours that lie there, and where the first would: also for the folders above it. */
export async function anchorPaths(host: Host): Promise<string[]> {
  const s = await trustStore(host);
  return [...new Set([own(s, 0), ...(await ownAnchors(host, s))])];
}
const body = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '');

/** The words for what the machine does not trust as wanted, or null. */
export async function distrusted(host: Host, certificates: readonly string[]): Promise<string | null> {
  const s = await trustStore(host);
  const there = new Set(await ownAnchors(host, s));
  for (const [n, pem] of certificates.entries()) if (!there.delete(own(s, n)) || (await host.files.read(own(s, n))) !== pem) return `${own(s, n)} is missing or another one`;
  const more = [...there][0];
  if (more !== undefined) return `${more} is not in the spec any more`;
  if (certificates.length === 0) return null;
  const bundle = ((await host.files.read(s.bundle)) ?? '').replace(/\s/g, '');
  return certificates.every((pem) => bundle.includes(body(pem))) ? null : `${s.bundle} lacks what ${s.update} would put there`;
} // prettier-ignore

export async function writeAnchors(host: Host, certificates: readonly string[]): Promise<void> {
  const s = await trustStore(host);
  for (const path of await ownAnchors(host, s)) if (!certificates.some((_, n) => own(s, n) === path)) await host.files.remove(path);
  for (const [n, pem] of certificates.entries()) await host.files.write(own(s, n), pem);
}

/** Makes what lies in the anchors' folder count. On a machine without a list of its own, ours is all of it until a package brings the rest. */
export async function takeUpAnchors(host: Host, certificates: readonly string[]): Promise<void> {
  const s = await trustStore(host);
  if ((await host.programs.which(s.update)) !== null) return void (await must(host, [s.update], { timeoutMs: 120_000 }));
  const bundle = await host.files.read(s.bundle);
  if (bundle !== null && !bundle.startsWith(mark))
    throw new TaskError('trust-store', `${s.bundle} is there, and ${s.update} is not: nothing can add certificates to it`, {
      remedy: `install the package ${s.package} on this machine, then retry the step`,
    });
  if (certificates.length > 0) await host.files.write(s.bundle, mark + certificates.join(''));
  else if (bundle !== null) await host.files.remove(s.bundle);
}

/** Whether anything of ours is there to be taken out, or was and the list was not made anew yet. */
async function hasAnchors(host: Host): Promise<boolean> {
  return (await ownAnchors(host, await trustStore(host))).length > 0 || (await ownLinks(host)).length > 0;
}
/** Puts back those that were there before; the list is again what it was. */
export async function restoreAnchors(host: Host, before: FileImages): Promise<void> {
  const s = await trustStore(host);
  const touched = await hasAnchors(host);
  for (const path of await ownAnchors(host, s)) await host.files.remove(path);
  await restoreAll(host, before);
  if (touched && (await host.programs.which(s.update)) !== null) await must(host, [s.update], { timeoutMs: 120_000 });
  // without the program, whose package went before us, what it had made of ours is left
  if ((await ownAnchors(host, s)).length === 0) for (const path of await ownLinks(host)) await host.files.remove(path);
}
/** Links to our certificates, and links by hash to those. */
async function ownLinks(host: Host): Promise<string[]> {
  const found: string[] = [];
  for (const name of await host.files.list(links))
    if (/(^|\/)strata-ca-\d+\.(crt|pem)$/.test((await host.files.stat(`${links}/${name}`))?.target ?? '')) found.push(`${links}/${name}`);
  return found;
}
