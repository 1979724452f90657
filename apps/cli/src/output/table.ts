import Table from 'cli-table3';
import { stringify } from 'yaml';

export type Format = 'json' | 'yaml' | 'table';

const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' }; // prettier-ignore

/** Columns under a heading, without lines. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const t = new Table({ head: [...head], chars: none, style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 } });
  t.push(...rows.map((r) => [...r]));
  return t.toString().split('\n').map((l) => l.trimEnd()).join('\n'); // prettier-ignore
}

/** The same value for programs (JSON, YAML), or for people as `words` put it. */
export function shown(format: Format, value: unknown, words: () => string): string {
  if (format === 'json') return JSON.stringify(value, null, 2);
  if (format === 'yaml') return stringify(value, { lineWidth: 0 }).trimEnd();
  return words();
}

/** How long ago, for people. */
export function ago(at: string | null, now: number): string {
  if (at === null) return 'never';
  return `${span(now - Date.parse(at))} ago`;
}
/** How long, for people. */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} days`;
}
