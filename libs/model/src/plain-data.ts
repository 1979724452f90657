export interface NotPlain {
  path: (string | number)[];
  message: string;
}
/** The first thing in what a file holds that is no plain data: a part that is within itself, or a name that JavaScript takes for something else. With its place; null where all is plain. */
export function notPlain(value: unknown): NotPlain | null {
  const proven = new Set<object>(); // a part that several aliases name is looked at once
  const look = (part: unknown, path: (string | number)[], around: readonly object[]): NotPlain | null => {
    if (typeof part !== 'object' || part === null || proven.has(part)) return null;
    if (around.includes(part)) return { path, message: 'is an alias of what it stands in, which would have no end: write out what is meant' };
    if (Object.hasOwn(part, '__proto__')) return { path: [...path, '__proto__'], message: 'a key cannot be named "__proto__": give it another name' };
    for (const [key, item] of Object.entries(part)) {
      const found = look(item, [...path, Array.isArray(part) ? Number(key) : key], [...around, part]);
      if (found) return found;
    }
    proven.add(part);
    return null;
  };
  return look(value, [], []);
}
