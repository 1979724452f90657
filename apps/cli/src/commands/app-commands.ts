import type { ApiClient } from '@strata/api-client';
import { type AppsView, type AppWish, type AvailableApps, type RunIntent, userNamespace } from '@strata/model';
import { type Command, Option } from 'commander';
import { readValues } from '../apps/read-values';
import { usage } from '../cli-error';
import { span, table } from '../output/table';
import { intentOf, startAndFollow } from './apply';
import { type Cli, type ContextFlags, type FollowFlags, mustConfirm, type OutputFlags, parseDuration, show, theCluster, withCluster, withContext, withFollow, withOutput, withServer, withYes } from './cli'; // prettier-ignore
import { type LogFlags, logQuery, tellLogs, withLogs } from './logs';

type Where = ContextFlags & { cluster?: string; user?: string; namespace?: string };
type RunFlags = Where & FollowFlags & { detach?: boolean; wait: number };
interface ValueFlags {
  values: string[];
  set: string[];
}
const many = (value: string, before: string[]): string[] => [...before, value];

/** app list|install|upgrade|rollback|stop|start|restart|remove|logs. */
export function addAppCommands(program: Command, cli: Cli): void {
  const app = program.command('app').description('applications of a cluster, out of the bundles of the server (docs/apps.md)');
  withOutput(withCluster(withContext(app.command('list').description('which there are, in which state, and where each comes from'))))
    .option('--available', 'what could be installed instead')
    .action((flags: ContextFlags & OutputFlags & { cluster?: string; available?: boolean }) =>
      withServer(cli, flags, async (client) => {
        if (flags.available === true) {
          const all = await client.availableApps();
          return show(cli, flags, { value: all, words: () => availableText(all) });
        }
        const all = await client.apps(await theCluster(client, flags.cluster));
        show(cli, flags, { value: all, words: () => appsText(all, cli.now()) });
      }),
    );
  const run = (name: string, text: string): Command =>
    withWhere(withFollow(withCluster(withContext(app.command(name).description(text)))))
      .option('--detach', 'do not watch')
      .addOption(new Option('--wait <duration>', 'so long a run that is at work on the cluster is waited for; 0: not at all, exit code 5').argParser(parseDuration).default(600_000, '10m')); // prettier-ignore

  withValues(run('install', 'a component of a bundle, under a name of its own').argument('<bundle/component>'))
    .option('--name <name>', "its name; else the component's")
    .action((what: string, flags: RunFlags & ValueFlags & { name?: string }) =>
      withServer(cli, flags, async (client) => {
        const from = sourceOf(what);
        const found = (await client.availableApps()).apps.find((a) => a.bundle === from.bundle && a.component === from.component);
        const namespace = namespaceOf(flags) ?? found?.namespace ?? 'default';
        const name = flags.name ?? found?.release ?? from.component;
        await start(cli, client, { kind: 'install-app', wish: { name, namespace, ...from, ...given(flags) }, flags });
      }),
    );
  withValues(run('upgrade', "what its bundle has now, and with other values; those that were given before stay").argument('<name>'))
    .option('--reset-values', 'values that were given before are dropped')
    .option('--from <bundle/component>', 'where it comes from now')
    .action((name: string, flags: RunFlags & ValueFlags & { resetValues?: boolean; from?: string }) =>
      change('upgrade-app', { name, flags }, (wish) => ({ ...wish, ...given(flags), ...(flags.from === undefined ? {} : sourceOf(flags.from)), resetValues: flags.resetValues === true })),
    ); // prettier-ignore
  run('rollback', 'as it was in an earlier revision that worked; its data stay as they are')
    .argument('<name>')
    .option('--to <revision>', 'which; else the last one that worked before this one', Number)
    .action((name: string, flags: RunFlags & { to?: number }) => {
      if (flags.to !== undefined && !(Number.isInteger(flags.to) && flags.to > 0)) throw usage('--to takes the number of a revision', 'see which there are: strata app list -o json');
      return change('rollback-app', { name, flags }, (wish) => ({ ...wish, ...(flags.to === undefined ? {} : { revision: flags.to }) }));
    }); // prettier-ignore
  for (const [name, text] of [
    ['stop', 'nothing of it runs any more; its data and settings stay'],
    ['start', 'what was stopped runs again as before'],
    ['restart', 'every pod of it is made anew'],
  ] as const)
    run(name, text).argument('<name>').action((of: string, flags: RunFlags) => change(`${name}-app`, { name: of, flags }, (wish) => wish)); // prettier-ignore
  withYes(run('remove', 'takes it away; its data stay, unless they are to go too').argument('<name>'))
    .option('--delete-data', 'its claims go as well, and what is in them')
    .option('--delete-namespace', "the user's namespace goes as well, when nothing else is in it")
    .action((name: string, flags: RunFlags & { yes?: boolean; deleteData?: boolean; deleteNamespace?: boolean }) =>
      withServer(cli, flags, async (client) => {
        const { deleteData = false, deleteNamespace = false } = flags;
        const wish = await theApp(client, name, flags);
        await mustConfirm(cli, flags, `This takes ${wish.namespace}/${name} away${deleteData ? ' AND DELETES ITS DATA' : '; its data stay'}. Go on?`);
        await start(cli, client, { kind: 'remove-app', wish: { ...wish, deleteData, deleteNamespace }, flags });
      }),
    );

  withLogs(withOutput(withWhere(withCluster(withContext(app.command('logs').description('what its containers say'))))).argument('<name>')).action(
    (name: string, flags: Where & OutputFlags & LogFlags) =>
      withServer(cli, flags, async (client) => {
        const { namespace } = await theApp(client, name, flags);
        await tellLogs(cli, flags, client.appLogs(await theCluster(client, flags.cluster), { namespace, name }, logQuery(flags)));
      }),
  );

  function change(kind: RunIntent['kind'], { name, flags }: { name: string; flags: RunFlags }, asked: (wish: AppWish) => AppWish): Promise<void> {
    return withServer(cli, flags, async (client) => start(cli, client, { kind, wish: asked(await theApp(client, name, flags)), flags }));
  }
}
const withWhere = (command: Command): Command =>
  command.option('-n, --namespace <name>', 'where it is; may be left out while there is one of its name').option('--user <name>', "in this user's own namespace, user-NAME: with limits, and fences to all others"); // prettier-ignore
const withValues = (command: Command): Command =>
  command.option('-f, --values <file>', 'a YAML file of values, may be given again', many, []).option('--set <name=value>', 'one value, as db.size=3, may be given again', many, []); // prettier-ignore

async function start(cli: Cli, client: ApiClient, what: { kind: RunIntent['kind']; wish: AppWish; flags: RunFlags }): Promise<void> {
  const { kind, wish } = what;
  const { wait: waitMs, ...flags } = what.flags;
  const cluster = await theCluster(client, flags.cluster);
  await startAndFollow(cli, client, { cluster, intent: intentOf(kind, { app: wish }), flags, waitMs });
}
function sourceOf(text: string): { bundle: string; component: string } {
  const [, bundle, component] = /^([^/]+)\/([^/]+)$/.exec(text) ?? [];
  if (bundle !== undefined && component !== undefined) return { bundle, component };
  throw usage(`"${text}" is not of the form BUNDLE/COMPONENT`, 'see what there is: strata app list --available');
}
function given(flags: ValueFlags): { values?: AppWish['values'] } {
  return flags.values.length + flags.set.length === 0 ? {} : { values: readValues(flags.values, flags.set) };
}
function namespaceOf({ user, namespace }: Where): string | null {
  if (user !== undefined && namespace !== undefined) throw usage('--user and --namespace both say where it is', 'give one of them');
  return user === undefined ? (namespace ?? null) : userNamespace(user);
}
/** The application that is meant: by its name alone while there is one of that name. */
export async function theApp(client: ApiClient, name: string, flags: Where): Promise<AppWish> {
  const namespace = namespaceOf(flags);
  if (namespace !== null) return { name, namespace };
  const { apps } = await client.apps(await theCluster(client, flags.cluster));
  const found = apps.filter((a) => a.name === name);
  const [only] = found;
  if (only && found.length === 1) return { name, namespace: only.namespace };
  if (!only) throw usage(`there is no application "${name}"`, `there is: ${apps.map((a) => `${a.namespace}/${a.name}`).join(', ') || 'none'}; what is gone and left data is named with --namespace`);
  throw usage(`there are several applications "${name}": in ${found.map((a) => a.namespace).join(', ')}`, 'say which with --namespace NAME or --user NAME');
} // prettier-ignore

export function appsText({ apps }: AppsView, now: number): string {
  if (apps.length === 0) return 'no application yet (see what there is: strata app list --available)';
  const rows = apps.map((a) => [
    a.namespace, a.name, a.bundle === null ? '-' : `${a.bundle}/${a.component ?? ''}`, a.version ?? '-', String(a.revision), a.state, a.since === 0 ? '-' : span(now - a.since), a.by,
  ]); // prettier-ignore
  const why = apps.flatMap((a) => (a.why === null ? [] : [`${a.namespace}/${a.name}: ${a.why}`]));
  return [table(['NAMESPACE', 'NAME', 'FROM', 'VERSION', 'REVISION', 'STATE', 'SINCE', 'BY'], rows), ...why].join('\n');
}
export function availableText({ apps, broken }: AvailableApps): string {
  const rows = apps.map((a) => [`${a.bundle}/${a.component}`, a.version, a.namespace, a.needs.length === 0 ? '-' : a.needs.join(', ')]);
  const shown = rows.length === 0 ? 'no bundle of the server has an application' : table(['APPLICATION', 'VERSION', 'NAMESPACE', 'NEEDS'], rows);
  return [shown, ...broken.map((b) => `bundle ${b.bundle} cannot be used: ${b.why}`)].join('\n');
}
