import { healthLines } from './status-command';

test('a line a layer, and below it what is not well', () => {
  const part = (what: string, words = ''): { what: string; ok: boolean; words: string } => ({ what, ok: words === '', words });
  const layers = [
    { layer: 'native' as const, ok: true, parts: [part('n1'), part('n2')] },
    { layer: 'orchestration' as const, ok: true, parts: Array.from({ length: 60 }, (_, i) => part(`n${i}`)) },
    { layer: 'containerized' as const, ok: false, parts: [part('shop/db'), part('shop/web', 'Deployment web: 0 of 1')] },
  ];
  const lines = healthLines({ cluster: 'home', healthy: false, layers });
  expect(lines[0]).toBe('  ✓ native         n1, n2');
  expect(lines[1]).toMatch(/^ {2}✓ orchestration {2}n0, n1, .*, n\d+, …$/);
  expect(lines.slice(2)).toEqual(['  ✗ containerized  1 of 2 not well', '      shop/web: Deployment web: 0 of 1']);
  expect(healthLines({ cluster: 'home', healthy: true, layers: [{ layer: 'containerized', ok: true, parts: [] }] })).toEqual([
    '  ✓ containerized  nothing is to be there',
  ]);
});
