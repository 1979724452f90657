import { nextSizes, pathMtu } from './path-mtu';

/** Asks until nothing is left to ask. */
function search(link: number, path: number): { found: number | null; rounds: number; packets: number } {
  const tried = new Map<number, boolean>();
  let rounds = 0;
  for (let sizes = nextSizes(link, tried); sizes.length > 0; sizes = nextSizes(link, tried)) {
    rounds += 1;
    for (const size of sizes) tried.set(size, size <= path);
    if (rounds > 10) throw new Error('it does not end');
  }
  return { found: pathMtu(tried), rounds, packets: tried.size };
}

describe('the largest packet of a path', () => {
  test.each([
    [1500, 1500, 1],
    [1500, 1400, 3],
    [1500, 1403, 3],
    [1500, 577, 5],
    [9000, 9000, 1],
    [9000, 1500, 5],
    [9000, 8999, 4],
    [1450, 1420, 3],
  ])('link %i, path %i: found exactly, in at most %i rounds', (link, path, rounds) => {
    const s = search(link, path);
    expect(s.found).toBe(path);
    expect(s.rounds).toBeLessThanOrEqual(rounds);
    expect(s.packets).toBeLessThan(120);
  });
  test('nothing gets through: two rounds, and it is not known', () => {
    expect(search(1500, 0)).toEqual({ found: null, rounds: 2, packets: expect.any(Number) as number });
  });
});
