import { HostOrIp, Ipv4 } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage } from '../ports/host';
import { withBlock, withoutBlock } from './marked-block';
import { ownMode } from './own-mode';

const file = '/etc/hosts';
/** cloud-init may write /etc/hosts anew at every boot. */
const cloud = '/etc/cloud/cloud.cfg.d/99-strata-hosts.cfg';
const cloudText = '# Written by Strata\nmanage_etc_hosts: false\n';

export const hostsBlock = defineTask({
  name: 'hosts.block', version: 1, layer: 'native', timeout: '1m', attempts: 3,
  title: "The cluster's names lead to their addresses",
  input: z.strictObject({ entries: z.array(z.strictObject({ address: Ipv4, names: z.array(HostOrIp).min(1) })) }),
  before: z.strictObject({ file: FileImage, cloud: FileImage.nullable() }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const text = (await host.files.read(file)) ?? '';
    const withCloud = (await host.files.stat('/etc/cloud')) !== null;
    const wanted = withBlock(text, lines(input.entries));
    const kept = !withCloud || (await host.files.read(cloud)) === cloudText;
    if (text === wanted && kept) return { state: 'satisfied', output: {} };
    const before = { file: await host.files.image(file), cloud: withCloud ? await host.files.image(cloud) : null };
    return { state: 'unsatisfied', reason: text === wanted ? 'cloud-init would take our part out of /etc/hosts' : '/etc/hosts lacks our part or holds an older one', before };
  },
  async apply({ host, input, before }) {
    const text = (await host.files.read(file)) ?? '';
    await host.files.write(file, withBlock(text, lines(input.entries)), { mode: await ownMode(host, file) });
    if (before.cloud) await host.files.write(cloud, cloudText);
  },
  /** Takes only our part out: what others wrote since stays. */
  async undo({ host, before }) {
    const text = await host.files.read(file);
    if (before.file.kind === 'absent' && withoutBlock(text ?? '') === '') await host.files.restore(before.file);
    else if (text !== null) await host.files.write(file, withoutBlock(text), { mode: await ownMode(host, file) });
    if (before.cloud) await host.files.restore(before.cloud);
  },
}); // prettier-ignore
const lines = (entries: readonly { address: string; names: string[] }[]): string[] => entries.map((e) => `${e.address} ${e.names.join(' ')}`);
