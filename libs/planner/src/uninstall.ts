import type { Steps } from './steps';
import { chained, type Skipped, type Taking, undoOf } from './undo';

/** Every machine becomes what it was, each by itself, and its agent goes; then the server forgets the cluster's credentials. */
export function uninstall(on: Steps, t: Taking): Skipped {
  const { c, request } = t;
  const last: string[] = [];
  for (const n of c.nodes) {
    on.all.push(...chained(undoOf(t, n.name), []));
    on.phase('prepare');
    const end = on.line(n.name, ...on.all.filter((s) => s.node === n.name).slice(-1).map((s) => s.key)).step('agent.remove', { node: n.name, force: request.intent.force });
    last.push(...end.last);
  } // prettier-ignore
  on.phase('install');
  on.add({
    node: null,
    task: 'kubeconfig.keep',
    input: { kubeconfig: { $secret: 'none:undo' } },
    needs: last,
    action: 'undo',
    title: 'the control server forgets the credentials',
  });
  const left = c.absent.map((name) => ({ what: `the changes on ${name}`, because: 'it cannot be reached: they stay until it returns and is uninstalled' }));
  if (request.intent.force) for (const name of c.absent) on.line(name).step('agent.remove', { node: name, force: true });
  return left;
}
