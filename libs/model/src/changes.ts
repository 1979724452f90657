import { z } from 'zod';

export const ChangeKind = z.enum([
  'file',
  'folder',
  'link',
  'package',
  'unit',
  'sysctl',
  'module',
  'firewall',
  'interface',
  'key',
  'image',
  'artifact',
  'swap',
  'hostname',
  'step',
]);
/** One thing on a node that Strata owns: what it was before the first change, what it is now, and which task made it. Contents are never here: only digests and sizes. */
export const Change = z
  .object({
    kind: ChangeKind,
    what: z.string(), // a path, a package, a key of sysctl, …
    before: z.string(), // in words: absent, `sha256:… 312 bytes 0644`, an earlier value
    now: z.string(),
    restored: z.boolean(), // it is as it was before: taken back, or not touched after all
    task: z.string(),
    step: z.string(),
    at: z.number().nullable(), // ms since 1970: when what was before was kept
  })
  .meta({ id: 'Change' }); // prettier-ignore
export type Change = z.infer<typeof Change>;
export const NodeChanges = z.object({ node: z.string(), changes: z.array(Change) }).meta({ id: 'NodeChanges' });
export type NodeChanges = z.infer<typeof NodeChanges>;

/** Changes for people, a line each, in the order in which they were made. */
export function changesText(changes: readonly Change[]): string {
  const rows = changes.map((c) => [c.kind, c.what, c.before, c.now, c.task]);
  const widths = [0, 1, 2, 3].map((i) => Math.min(60, Math.max(...[['KIND', 'WHAT', 'BEFORE', 'NOW'], ...rows].map((r) => (r[i] ?? '').length))));
  const line = (row: readonly string[]): string => row.map((cell, i) => (i < 4 ? cell.padEnd(widths[i] ?? 0) : cell)).join('  ').trimEnd(); // prettier-ignore
  return [line(['KIND', 'WHAT', 'BEFORE', 'NOW', 'TASK']), ...rows.map(line)].join('\n');
}
