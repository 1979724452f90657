import { HostOrIp, Ipv4 } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';
import { hasBlock, withBlock, withoutBlock } from './marked-block';
import { ownMode } from './own-mode';

const file = '/etc/hosts';
/**
 * cloud-init may write /etc/hosts anew at every boot. What it is told by the machine's user data wins over any file here, so our part is also in the
 * templates that it writes from.
 */
const cloud = '/etc/cloud/cloud.cfg.d/99-strata-hosts.cfg';
const templates = '/etc/cloud/templates';
const cloudText = '# Written by Strata\nmanage_etc_hosts: false\n';

export const hostsBlock = defineTask({
  name: 'hosts.block', version: 1, layer: 'native', timeout: '1m', attempts: 3,
  title: "The cluster's names lead to their addresses",
  input: z.strictObject({ entries: z.array(z.strictObject({ address: Ipv4, names: z.array(HostOrIp).min(1) })) }),
  before: z.strictObject({ file: FileImage, cloud: FileImage.nullable(), templates: z.array(FileImage).default([]) }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const text = (await host.files.read(file)) ?? '';
    const withCloud = (await host.files.stat('/etc/cloud')) !== null;
    const wanted = withBlock(text, lines(input.entries));
    const kept = !withCloud || (await host.files.read(cloud)) === cloudText;
    const behind = await lacking(host, lines(input.entries));
    if (text === wanted && kept && behind.length === 0) return { state: 'satisfied', output: {} };
    const before = { file: await host.files.image(file), cloud: withCloud ? await host.files.image(cloud) : null, templates: await Promise.all((await templatesOf(host)).map((t) => host.files.image(t))) };
    return { state: 'unsatisfied', reason: text === wanted ? 'cloud-init would take our part out of /etc/hosts' : '/etc/hosts lacks our part or holds an older one', before };
  },
  async apply({ host, input, before }) {
    const text = (await host.files.read(file)) ?? '';
    await host.files.write(file, withBlock(text, lines(input.entries)), { mode: await ownMode(host, file) });
    if (before.cloud) await host.files.write(cloud, cloudText);
    for (const t of await lacking(host, lines(input.entries)))
      await host.files.write(t, withBlock((await host.files.read(t)) ?? '', lines(input.entries)), { mode: await ownMode(host, t) });
  },
  /** Takes only our part out: what others wrote since stays. */
  async undo({ host, before }) {
    const text = await host.files.read(file);
    if (before.file.kind === 'absent' && withoutBlock(text ?? '') === '') await host.files.restore(before.file);
    else if (text !== null) await host.files.write(file, withoutBlock(text), { mode: await ownMode(host, file) });
    if (before.cloud) await host.files.restore(before.cloud);
    for (const { path } of before.templates) {
      const template = await host.files.read(path);
      if (template !== null && hasBlock(template)) await host.files.write(path, withoutBlock(template), { mode: await ownMode(host, path) });
    }
  },
}); // prettier-ignore
async function templatesOf(host: Host): Promise<string[]> {
  return (await host.files.list(templates)).filter((n) => /^hosts\..*tmpl$/.test(n)).sort().map((n) => `${templates}/${n}`); // prettier-ignore
}
/** Templates without our part, or with an older one. */
async function lacking(host: Host, wanted: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of await templatesOf(host)) {
    const text = (await host.files.read(path)) ?? '';
    if (text !== withBlock(text, wanted)) found.push(path);
  }
  return found;
}
const lines = (entries: readonly { address: string; names: string[] }[]): string[] => entries.map((e) => `${e.address} ${e.names.join(' ')}`);
