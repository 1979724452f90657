import { z } from 'zod';
import { ChartValues } from './bundle';
import { Name } from './names';

/** More values than these no application is given: each revision's lie in one note beside the release. */
export const largestValues = 64 * 1024;
const deepestValues = 32;
/** Names that are no data in JavaScript. */
export const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** The first thing that speaks against values that came from outside, with its place; null where nothing does. */
export function valuesIssue(value: unknown, path: readonly (string | number)[] = []): { path: (string | number)[]; message: string } | null {
  if (typeof value !== 'object' || value === null) return null;
  if (path.length > deepestValues) return { path: [...path], message: `values are nested more than ${deepestValues} deep` };
  for (const [key, item] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    if (forbiddenKeys.has(key)) return { path: at, message: `a value cannot be named "${key}"` };
    const found = valuesIssue(item, at);
    if (found) return found;
  }
  return null;
}
/** Values of an application as they come from outside: plain data of a bounded size. */
export const AppValues = z.preprocess((value, ctx) => {
  const found = valuesIssue(value);
  if (found) ctx.addIssue({ code: 'custom', ...found, input: value });
  else if (JSON.stringify(value ?? null).length > largestValues) ctx.addIssue({ code: 'custom', message: `values have ${largestValues} bytes at most`, input: value });
  return value;
}, ChartValues); // prettier-ignore

/** Which release an application is: Helm's name for it, and where. */
export const AppRef = z.strictObject({ name: Name.max(53), namespace: Name });
export type AppRef = z.infer<typeof AppRef>;
/** What is asked of an application. */
export const AppWish = AppRef.extend({
  bundle: Name.optional(), // install; upgrade: where it comes from now
  component: Name.optional(),
  values: AppValues.optional(), // install, upgrade: over the bundle's own
  resetValues: z.boolean().optional(), // upgrade: what was given before is dropped
  revision: z.int().positive().optional(), // rollback: to which; else the last one that was proven before this one
  deleteData: z.boolean().optional(), // remove: its claims go as well
  deleteNamespace: z.boolean().optional(), // remove: a user's namespace goes as well, when nothing else is in it
});
export type AppWish = z.infer<typeof AppWish>;
/** The namespace that is a user's own: with limits, and fences to all others. */
export const userNamespace = (user: string): string => `user-${user}`;
/** Whose own a namespace is, or null. */
export const userOf = (namespace: string): string | null => /^user-(.+)$/.exec(namespace)?.[1] ?? null;

/** What a revision of a release was made of. `given`: the values that somebody gave, without the bundle's own. */
export const Made = z.strictObject({ bundle: Name, component: Name, version: z.string(), given: ChartValues });
export type Made = z.infer<typeof Made>;

/** An application as the cluster itself tells of it. */
export const AppView = AppRef.extend({
  user: z.string().nullable(), // whose namespace it is in
  bundle: z.string().nullable(), // null: Strata has noted nothing of it
  component: z.string().nullable(),
  version: z.string().nullable(), // of the bundle
  revision: z.int(),
  proven: z.array(z.int()), // revisions that worked, the newest last
  state: z.enum(['running', 'stopped', 'degraded', 'pending', 'failed', 'going']),
  why: z.string().nullable(), // of degraded, pending, failed, going
  since: z.number(), // of the state where that is known, else of the revision; ms since 1970
  by: z.enum(['spec', 'app', 'other']), // whose it is: the cluster's spec, `strata app`, somebody else's Helm
}).meta({ id: 'AppView' });
export type AppView = z.infer<typeof AppView>;
export const AppsView = z.object({ cluster: z.string(), apps: z.array(AppView) }).meta({ id: 'AppsView' });
export type AppsView = z.infer<typeof AppsView>;

/** What could be installed from the server's bundles. */
export const AvailableApp = z
  .object({ bundle: z.string(), component: z.string(), version: z.string(), release: z.string(), namespace: z.string(), needs: z.array(z.string()) })
  .meta({ id: 'AvailableApp' });
export type AvailableApp = z.infer<typeof AvailableApp>;
/** `broken`: bundles that cannot be used, and why. */
export const AvailableApps = z
  .object({ apps: z.array(AvailableApp), broken: z.array(z.object({ bundle: z.string(), why: z.string() })) })
  .meta({ id: 'AvailableApps' });
export type AvailableApps = z.infer<typeof AvailableApps>;

/** Which lines of an application's containers. */
export const AppLogQuery = z.object({
  follow: z.stringbool().default(false),
  previous: z.stringbool().default(false), // of the life before this one
  container: z.string().max(63).optional(),
  since: z.coerce.number().int().positive().optional(), // seconds ago
  tail: z.coerce.number().int().min(0).max(10_000).default(200), // of each container
});
export type AppLogQuery = Partial<Record<keyof z.infer<typeof AppLogQuery>, string | number | boolean>>;
/** One line of a container, or of us about it (`container` null). */
export const AppLogLine = z.object({ pod: z.string(), container: z.string().nullable(), text: z.string() }).meta({ id: 'AppLogLine' });
export type AppLogLine = z.infer<typeof AppLogLine>;
