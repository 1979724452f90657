import { homedir } from 'node:os';
import { join } from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;
const homeOf = (env: Env): string => env.HOME || homedir();

/** `~` and `~/…` are the user's home. */
export const expandHome = (path: string, env: Env): string => (path === '~' || path.startsWith('~/') ? join(homeOf(env), path.slice(1)) : path);
export const userHome = homeOf;
export const configHome = (env: Env): string => env.XDG_CONFIG_HOME || join(homeOf(env), '.config');
export const cacheHome = (env: Env): string => env.XDG_CACHE_HOME || join(homeOf(env), '.cache');
