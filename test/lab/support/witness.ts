import type { Lab } from './lab';

/** Counts programs on a node from outside Strata: scripts of the same names, ahead in its PATH, write down each begin and end. They can also be held back. */
const programs = ['apt-get', 'ctr', 'kubeadm'];
const log = '/var/log/witness.log';
const held = '/var/tmp/held';
const script = `#!/bin/sh
name=\${0##*/}
real=
for dir in /usr/local/bin /usr/sbin /usr/bin; do [ -z "$real" ] && [ -x "$dir/$name" ] && real=$dir/$name; done
[ -n "$real" ] || exit 127
case "$name $*" in
  'ctr '*' import '*) gate=import;;
  'kubeadm join '*) gate=join;;
  *) gate=;;
esac
while [ -n "$gate" ] && [ -e "${held}.$gate" ]; do sleep 0.1; done
printf 'begin %s\\n' "$name $*" >> ${log}
"$real" "$@"
code=$?
printf 'end %s %s\\n' "$code" "$name $*" >> ${log}
exit $code
`;

/** How often a program was begun, came to a good end, and came to a bad one. What was begun and never ended was killed with its machine or its parent. */
export interface Count {
  begun: number;
  done: number;
  failed: number;
}

export async function placeWitness(lab: Lab, node: string): Promise<void> {
  for (const name of programs) {
    const path = `/usr/local/sbin/${name}`;
    await lab.must(node, ['sh', '-c', 'cat > "$1" && chmod 755 "$1"', 'sh', path], { input: script });
  }
}
/** Keeps a kind of program from beginning on a node, as a slow machine would, until it is let go. */
export const hold = (lab: Lab, node: string, what: 'import' | 'join'): Promise<string> => lab.must(node, ['touch', `${held}.${what}`]);
export const letGo = (lab: Lab, node: string, what: 'import' | 'join'): Promise<string> => lab.must(node, ['rm', '-f', `${held}.${what}`]);

/** What the witness of a node saw, by what a program was to do. Programs that only look are left out. */
export async function testimony(lab: Lab, node: string): Promise<Map<string, Count>> {
  const seen = new Map<string, Count>();
  for (const line of (await lab.must(node, ['cat', log])).split('\n')) {
    const [, kind, code, words = ''] = /^(begin|end)(?: (\d+))? ((?:apt-get|ctr|kubeadm) .*)$/.exec(line) ?? [];
    const what = deedOf(words);
    if (kind === undefined || what === null) continue;
    const count = seen.get(what) ?? { begun: 0, done: 0, failed: 0 };
    seen.set(what, count);
    if (kind === 'begin') count.begun += 1;
    else if (code === '0') count.done += 1;
    else count.failed += 1;
  }
  return seen;
}
function deedOf(words: string): string | null {
  if (words.startsWith('apt-get install ')) return 'apt-get install';
  if (/^ctr .*images import /.test(words)) return 'ctr images import';
  return /^kubeadm (?:init|join) phase [a-z-]+(?: [a-z-]+)?(?= --)/.exec(words)?.[0] ?? null;
}

/** The cluster's two things that can never be made twice: its CA, and the ids that etcd gave itself and its one member, as its own logs have them. */
export async function identityOf(lab: Lab, node: string): Promise<{ ca: string; etcd: string[] }> {
  const ca = (await lab.must(node, ['sha256sum', '/etc/kubernetes/pki/ca.crt'])).slice(0, 64);
  const ids = await lab.must(node, ['sh', '-c', `grep -rhoE '"(cluster-id|local-member-id)":"[0-9a-f]+"' /var/log/pods/kube-system_etcd-*/ | sort -u`]);
  return { ca, etcd: ids.split('\n').filter(Boolean) };
}
