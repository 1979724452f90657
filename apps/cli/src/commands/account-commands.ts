import { readFileSync } from 'node:fs';
import { ApiClient, connectTo } from '@strata/api-client';
import { type AccountView, ApiRole, type Invitation, parseSetUpLink } from '@strata/model';
import { type Command, Option } from 'commander';
import { usage } from '../cli-error';
import { configPath, readConfig, writeConfig } from '../context/config-file';
import { span, table } from '../output/table';
import { type Cli, type ContextFlags, mustConfirm, type OutputFlags, show, withContext, withOutput, withServer, withYes } from './cli';

type InviteFlags = ContextFlags & OutputFlags & { role: ApiRole; url?: string };

/** user, login: who may use the control server besides its own first token. */
export function addAccountCommands(program: Command, cli: Cli): void {
  const user = program.command('user').description('who may use the control server');
  withOutput(withContext(user.command('invite').argument('<name>').description('make a one-time link: whoever opens it becomes this user; valid for 24 hours, and an older one is dead')))
    .addOption(new Option('--role <role>', 'what they may do').choices(ApiRole.options).default('operator'))
    .option('--url <url>', 'the address of the control server as they reach it; default: as you do')
    .action((name: string, flags: InviteFlags) =>
      withServer(cli, flags, async (client, { url }) => {
        const invited = await client.inviteAccount({ name, role: flags.role });
        const link = linkOf(invited, flags.url ?? url);
        show(cli, flags, { value: { ...invited, link }, words: () => invitationText({ ...invited, link }) });
      }),
    );
  withOutput(withContext(user.command('list').description('who is set up, and who is invited'))).action((flags: ContextFlags & OutputFlags) =>
    withServer(cli, flags, async (client) => {
      const all = await client.accounts();
      show(cli, flags, { value: all, words: () => accountTable(all, cli.now()) });
    }),
  );
  withYes(withContext(user.command('remove').argument('<name>').description('refuse their token, or the link that is out, from now on'))).action(
    async (name: string, flags: ContextFlags & { yes?: boolean }) => {
      await mustConfirm(cli, flags, `Shut out ${name}?`);
      await withServer(cli, flags, (client) => client.removeAccount(name));
      cli.terminal.out(`${name} is shut out`);
    },
  );
  program
    .command('login')
    .description('open a setup link, asked for or read from standard input, and remember the server')
    .option('--name <context>', 'under which name to remember it', 'strata')
    .action((flags: { name: string }) => login(cli, flags.name));
} // prettier-ignore

/** @throws CliError where the address is none */
export function linkOf({ path }: Pick<Invitation, 'path'>, url: string): string {
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:') throw usage(`"${url}" is not an address that a link can begin with`, 'write https://HOST:PORT');
  return `${new URL(url).origin}${path}`;
}
export const invitationText = ({ name, role, link, expiresAt }: Invitation & { link: string }): string =>
  [
    `${name} becomes ${role} by opening this link, once, until ${expiresAt}:`,
    `  ${link}`,
    '  in a browser, or in a terminal: strata login, then paste it',
  ].join('\n');

function accountTable(all: readonly AccountView[], now: number): string {
  if (all.length === 0) return 'nobody yet but the server\'s own token: strata user invite NAME'; // prettier-ignore
  const since = (a: AccountView): string => `${span(now - Date.parse(a.setUpAt ?? a.invitedAt))} ago`;
  return table(['NAME', 'ROLE', 'STATE', 'SINCE', 'INVITED BY'], all.map((a) => [a.name, a.role, a.state, since(a), a.invitedBy])); // prettier-ignore
}

/** The link is never an argument: others on the machine could read it. @throws CliError */
async function login(cli: Cli, name: string): Promise<void> {
  const path = configPath(cli.env);
  const config = readConfig(path) ?? { contexts: {} };
  if (config.contexts[name]) throw usage(`there is a context "${name}" already in ${path}`, 'take another name: strata login --name NAME');
  const link = parseSetUpLink(cli.terminal.interactive ? await cli.terminal.askHidden('setup link: ') : readFileSync(0, 'utf8'));
  if (!link)
    throw usage('that is no setup link', 'it looks like https://HOST:PORT/setup#strata_setup_….…, as `strata user invite` prints it; copy the whole line');
  const client = new ApiClient(await connectTo({ url: link.server, caPin: link.caPin }), { token: '' });
  try {
    const { token, ...who } = await client.setUpAccount(link.code);
    writeConfig(path, { ...config, current: name, contexts: { ...config.contexts, [name]: { server: link.server, caPin: link.caPin, token } } });
    cli.terminal.out(`you are ${who.name} (${who.role}) at ${link.server}; context "${name}" in ${path} is the current one now`);
  } finally {
    client.close();
  }
}
