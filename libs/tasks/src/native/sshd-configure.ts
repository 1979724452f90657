import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import { FileImage, type Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { blocker } from './findings';
import { ownMode } from './own-mode';

const dropIn = '/etc/ssh/sshd_config.d/10-strata.conf';
const dropInText = '# Written by Strata\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n';
const keysFile = '/root/.ssh/authorized_keys';
/** Where root's keys really are: on some systems (Proxmox) the file is a link into a shared folder. */
async function realKeysFile(host: Host): Promise<string> {
  const stat = await host.files.stat(keysFile);
  if (stat?.kind !== 'link' || stat.target === null) return keysFile;
  return stat.target.startsWith('/') ? stat.target : `/root/.ssh/${stat.target}`;
}
const AuthorizedKey = z.string().regex(/^(ssh-|ecdsa-|sk-)[^\n\r]+$/);

async function sshdUnit(host: Host): Promise<string | null> {
  for (const unit of ['ssh.service', 'sshd.service']) if ((await host.units.state(unit)).load === 'loaded') return unit;
  return null;
}
/** Lets a running sshd read its configuration anew; one that is started by each connection does so anyway. */
async function reload(host: Host): Promise<void> {
  const unit = await sshdUnit(host);
  if (unit && (await host.units.state(unit)).active === 'active') await host.units.reload(unit);
}
/** The settings sshd really goes by, in lower case. */
async function effective(host: Host): Promise<Record<string, string>> {
  const { stdout } = await must(host, ['sshd', '-T'], { timeoutMs: 20_000 });
  return Object.fromEntries(stdout.split('\n').map((l) => [l.split(' ')[0] ?? '', l.slice(l.indexOf(' ') + 1).trim()]));
}
const missingKeys = async (host: Host, keys: readonly string[]): Promise<string[]> => {
  const here = new Set((await host.users.authorizedKeys('root')).map((k) => k.trim()));
  return keys.filter((k) => !here.has(k.trim()));
};

/** Authorised keys of root, and no passwords if asked. Never locks the operator out: without a key, or if sshd does not come back, nothing stays. */
export const sshdConfigure = defineTask({
  name: 'sshd.configure', version: 1, layer: 'native', timeout: '2m', attempts: 2,
  title: 'sshd knows the authorised keys',
  input: z.strictObject({ authorizedKeys: z.array(AuthorizedKey), passwordLogin: z.enum(['keep', 'off']) }),
  before: z.strictObject({ dropIn: FileImage, keys: FileImage, folder: FileImage, added: z.array(z.string()), present: z.array(z.string()).optional(), newline: z.boolean() }), // present: the lines of the key file; newline: it ended in one
  output: z.strictObject({}),
  async check({ host, input }) {
    const added = await missingKeys(host, input.authorizedKeys);
    const off = input.passwordLogin === 'off';
    const told = !off || (await host.files.read(dropIn)) === dropInText;
    if (added.length === 0 && told) return { state: 'satisfied', output: {} };
    if (off && input.authorizedKeys.length === 0 && (await host.users.authorizedKeys('root')).length === 0)
      return { state: 'refused', findings: [blocker('sshd.no-key', 'password logins shall be off, but root has no authorised key: nobody could log in any more', 'give `native.ssh.authorizedKeys`, or leave `passwordLogin: keep`')] }; // prettier-ignore
    const real = await realKeysFile(host);
    const text = (await host.files.read(real)) ?? '';
    const [folder, keys, file] = [await host.files.image('/root/.ssh'), await host.files.image(real), await host.files.image(dropIn)];
    const present = text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
    return { state: 'unsatisfied', reason: added.length > 0 ? `${added.length} keys are not authorised` : 'passwords are accepted', before: { dropIn: file, keys, folder, added, present, newline: text === '' || text.endsWith('\n') } };
  },
  async apply({ host, input, before }) {
    const added = await missingKeys(host, input.authorizedKeys);
    if (added.length > 0) {
      await host.files.mkdir('/root/.ssh', before.folder.kind === 'absent' ? { mode: 0o700 } : {});
      const text = (await host.files.read(before.keys.path)) ?? '';
      const mode = (await ownMode(host, before.keys.path)) ?? 0o600;
      await host.files.write(before.keys.path, `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${added.join('\n')}\n`, { mode });
    }
    if (input.passwordLogin === 'off') await host.files.write(dropIn, dropInText);
  },
  async verify({ input, before, ...context }) {
    if (input.passwordLogin === 'off') await turnPasswordsOff(context, before.dropIn);
  },
  /** Also keys that a later spec brought go: what was there before our first change stays. */
  async undo({ host, input, before }) {
    await host.files.restore(before.dropIn);
    await reload(host);
    const file = before.keys.path;
    const text = await host.files.read(file);
    const { present } = before;
    const ours = [...before.added, ...(present === undefined ? [] : input.authorizedKeys.filter((key) => !present.includes(key.trim())))];
    if (text !== null && ours.length > 0) {
      const rest = withoutLines(text, ours);
      if (rest === '' && before.keys.kind === 'absent') await host.files.restore(before.keys);
      else await host.files.write(file, before.newline ? rest : rest.replace(/\n$/, ''), { mode: await ownMode(host, file) });
    }
    if (before.folder.kind === 'absent') await host.files.restore(before.folder);
  },
}); // prettier-ignore

const withoutLines = (text: string, gone: readonly string[]): string => {
  const ours = new Set(gone.map((k) => k.trim()));
  return text.split('\n').filter((line) => !ours.has(line.trim())).join('\n'); // prettier-ignore
};

/** Lets sshd take the drop-in, and proves that it still answers; else everything is put back. */
async function turnPasswordsOff({ host, clock, signal }: Pick<NodeContext<unknown>, 'host' | 'clock' | 'signal'>, was: FileImage): Promise<void> {
  const back = async (why: string, detail: string[] = []): Promise<never> => {
    await host.files.restore(was);
    await reload(host);
    throw new TaskError('sshd-unsafe', `password logins were left as they were: ${why}`, {
      remedy: 'mend the configuration of sshd on this machine (`sshd -t`), then retry the step',
      detail,
    });
  };
  const test = await host.programs.run(['sshd', '-t'], { timeoutMs: 20_000 });
  if (test.code !== 0) await back('sshd refuses its configuration', test.stderr.trim().split('\n').slice(-5));
  const settings = await effective(host);
  if (settings.pubkeyauthentication === 'no') await back('sshd takes no keys (PubkeyAuthentication no): nobody could log in any more');
  if (settings.permitrootlogin === 'no')
    await back('root may not log in (PermitRootLogin no), and the authorised keys are root\u2019s: nobody could log in any more');
  if (settings.passwordauthentication !== 'no') await back('sshd does not read /etc/ssh/sshd_config.d, or another file there says otherwise first');
  await reload(host);
  const port = Number(settings.port ?? 22);
  const wait = { what: `sshd on port ${port}`, timeoutMs: 15_000, everyMs: 100, signal, remedy: '' }; // for a moment a reload closes the port
  const answers = async (): Promise<true | null> => ((await host.network.banner('127.0.0.1', port, 5000))?.startsWith('SSH-') ? true : null);
  if (!(await until(clock, wait, answers).catch(() => false))) await back(`sshd does not answer on port ${port} any more`);
}
