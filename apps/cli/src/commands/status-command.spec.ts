import type { ApiClient } from '@strata/api-client';
import { paper } from '../testing/paper';
import { healthLines, status } from './status-command';

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

test('a cluster that was only planned is said to be so, and is no trouble', async () => {
  const cluster = (name: string, onlyPlanned: boolean): object => ({ id: name, name, state: onlyPlanned ? 'new' : 'ready', onlyPlanned, openRun: null });
  const asked: string[] = [];
  const client = (healthy: boolean): ApiClient =>
    ({
      version: () => Promise.resolve({ version: '1' }),
      clusters: () => Promise.resolve([cluster('home', false), cluster('try', true)]),
      health: (id: string) => (asked.push(id), Promise.resolve({ cluster: id, healthy: id === 'home' && healthy, layers: [] })),
      runs: () => Promise.resolve({ runs: [], next: null }),
      nodes: () => Promise.resolve([]),
    }) as unknown as ApiClient;
  const at = { flags: { output: 'table' as const }, context: { url: 'https://control.example:7443' } as never };
  const well = paper();
  await status(well.cli, client(true), at);
  expect(well.out.join('\n')).toMatch(/cluster home: ready\n[^]*cluster try: planned, not applied/);
  expect([well.code(), asked]).toEqual([undefined, ['home']]);
  const ill = paper();
  await status(ill.cli, client(false), at);
  expect(ill.code()).toBe(1);
});
