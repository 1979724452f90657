import { parse, stringify } from 'yaml';

/** A spec as text, with the shared file system; its cache is small. `more`: what the storage has besides. */
export function withShared(text: string, more: Record<string, unknown> = {}): string {
  const all = parse(text) as { spec: Record<string, unknown> };
  Object.assign(all.spec, { storage: { kind: 'juicefs', cache: { sizeMiB: 200, freeRatio: 0.1 }, ...more }, artifacts: { allowUnofficial: true } });
  return stringify(all, { lineWidth: 0 });
}
