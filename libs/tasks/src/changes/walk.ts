import { FileImage } from '../ports/host';

/** What a task kept ahead of its first change. `at`: ms since 1970. */
export interface Kept {
  step: string;
  task: string;
  before: unknown;
  /** What the task was asked for, if it is still known. */
  input?: unknown;
  at: number | null;
}
export const isRecord = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);
export const strings = (v: unknown): string[] => (Array.isArray(v) ? v.filter((x) => typeof x === 'string') : []);
export const field = (v: unknown, name: string): unknown => (isRecord(v) ? v[name] : undefined);

/** Every image of a file in a value, at any depth: tasks keep them under names of their own. */
export function imagesIn(value: unknown): FileImage[] {
  if (isRecord(value) && 'path' in value && 'kind' in value) {
    const image = FileImage.safeParse(value);
    return image.success ? [image.data] : [];
  }
  if (Array.isArray(value)) return value.flatMap(imagesIn);
  return isRecord(value) ? Object.values(value).flatMap(imagesIn) : [];
}
/** Folders that a task filled, by their path: what was in them, or null when they were not there. */
export function foldersIn({ task, before }: Kept): [string, string[] | null][] {
  const one = (path: string, v: unknown): [string, string[] | null][] => (isRecord(v) && 'names' in v ? [[path, v.names === null ? null : strings(v.names)]] : []);
  const unnamed: Record<string, string> = { 'kubernetes.config': '/etc/kubernetes', 'kubernetes.join': '/etc/kubernetes' };
  const found = one(unnamed[task] ?? '', before).filter(([path]) => path !== '');
  found.push(...one('/var/lib/etcd', field(before, 'etcd')), ...one('/var/lib/rancher/k3s', field(before, 'data')));
  const walk = (v: unknown): void => {
    if (!isRecord(v)) return;
    for (const [key, inner] of Object.entries(v)) {
      if (key.startsWith('/')) found.push(...one(key, inner));
      walk(inner);
    }
  };
  walk(before);
  return found;
} // prettier-ignore
/** Kernel settings with the value that they had. */
export function sysctlsIn({ before }: Kept): [string, string][] {
  const found: [string, string][] = [];
  const walk = (v: unknown, name: string): void => {
    if (!isRecord(v)) return;
    for (const [key, inner] of Object.entries(v))
      if (typeof inner === 'string' && (name === 'sysctls' || name === 'values') && key.includes('.')) found.push([key, inner]);
      else walk(inner, key);
  };
  walk(before, '');
  return found;
}
