interface Found {
  path: string[];
  message: string;
}
/** Folders that are somebody's: a tree or a cache there, below them or around them would hide, fill or wipe what he lives by. */
const taken: Record<string, readonly string[]> = {
  'the system': [
    '/bin', '/boot', '/dev', '/etc', '/lib', '/lib32', '/lib64', '/libx32', '/proc', '/root/.ssh', '/run', '/sbin', '/sys', '/tmp', '/usr',
    '/var/lib/apt', '/var/lib/dbus', '/var/lib/dpkg', '/var/lib/private', '/var/lib/rpm', '/var/lib/systemd', '/var/lock', '/var/log', '/var/run', '/var/tmp',
  ],
  'container runtimes': ['/opt/containerd', '/var/lib/containerd', '/var/lib/containers', '/var/lib/docker'],
  'Kubernetes': ['/opt/cni', '/var/lib/calico', '/var/lib/cni', '/var/lib/etcd', '/var/lib/flannel', '/var/lib/kubelet', '/var/lib/rancher'],
  'Strata': ['/opt/strata', '/var/cache/strata/artifacts', '/var/lib/strata'],
}; // prettier-ignore
const ownFolder = /^\/var\/lib\/strata-[^/]+/; // strata-metadata, strata-objects, strata-server, …

const plain = (path: string): string => `/${path.split('/').filter((part) => part !== '' && part !== '.').join('/')}`; // prettier-ignore
/** Whether one path is another or lies below it; both plain. */
const isIn = (path: string, folder: string): boolean => folder === '/' || path === folder || path.startsWith(`${folder}/`);

/** Why data cannot lie at a path, or null. */
function takenBy(path: string): string | null {
  const own = ownFolder.exec(path)?.[0];
  const folders = Object.entries({ ...taken, Strata: [...(taken['Strata'] ?? []), ...(own === undefined ? [] : [own])] });
  for (const [owner, theirs] of folders)
    for (const folder of theirs) {
      if (isIn(path, folder)) return `${path} is ${path === folder ? '' : `within ${folder}, `}a folder of ${owner}`;
      if (isIn(folder, path)) return `${path} holds ${folder}, a folder of ${owner}`;
    }
  return null;
}

/** What is wrong with where the tree and its cache lie; `cache` only where there is one. Paths are those below `spec`. */
export function storagePathIssues(tree: string, cache?: { path: string; written: boolean }): Found[] {
  const found: Found[] = [];
  const say = (path: string, message: string): void => void found.push({ path: ['storage', ...path.split('.')], message });
  const [of, its] = [plain(tree), cache && plain(cache.path)];
  const clash = takenBy(of);
  if (clash !== null) say('path', `${clash}: choose one for data alone, such as /strata/rootfs`);
  if (its === undefined) return found;
  const clashOfCache = takenBy(its);
  if (clashOfCache !== null) say('cache.path', `${clashOfCache}: choose one for the cache alone, such as /var/cache/strata/juicefs`);
  if (isIn(its, of) || isIn(of, its))
    say(
      cache?.written === true ? 'cache.path' : 'path',
      `the tree at ${of} and its cache at ${its} lie within each other: the cache has to be beside the tree`,
    );
  return found;
}
