import type { ApiClient } from '@strata/api-client';
import { theCluster } from './cli';

const picked = (named: string | undefined, ...all: [name: string, onlyPlanned: boolean][]): Promise<string> =>
  theCluster({ clusters: () => Promise.resolve(all.map(([name, onlyPlanned]) => ({ name, onlyPlanned }))) } as unknown as ApiClient, named);

test('a cluster that was only planned makes no other one ambiguous', async () => {
  expect(await picked(undefined, ['home', false], ['try', true])).toBe('home');
  expect(await picked(undefined, ['try', true], ['home', false], ['again', true])).toBe('home');
  expect(await picked(undefined, ['try', true])).toBe('try');
  expect(await picked('try', ['home', false], ['try', true])).toBe('try');
});
test('where more than one may be meant, those that may be are named', async () => {
  await expect(picked(undefined, ['home', false], ['try', true], ['work', false])).rejects.toThrow('there are several clusters: home, work');
  await expect(picked(undefined, ['try', true], ['again', true])).rejects.toThrow('there are several clusters: try, again');
  await expect(picked(undefined)).rejects.toThrow('there is no cluster yet');
});
