import { imagesText } from './images-command';

test('a line an image, and what is not as it should be below', () => {
  const image = (ref: string, state: 'here' | 'absent'): { ref: string; bytes: number; state: 'here' | 'absent' } => ({ ref, bytes: 12_340_000, state });
  const nodes = [
    { name: 'n1', missing: null, images: [image('b:1', 'here'), image('a:1', 'here')] },
    { name: 'n2', missing: null, images: [image('a:1', 'absent')] },
    { name: 'n3', missing: 'its agent has no session', images: [] },
  ];
  expect(imagesText({ cluster: 'home', nodes }).split('\n').map((l) => l.split(/ {2,}/))).toEqual([
    ['IMAGE', 'SIZE', 'NODES'],
    ['a:1', '12.3 MB', '1 of 2'],
    ['b:1', '12.3 MB', '1 of 1'],
    ['n2: a:1 is not here; the agent brings it back'],
    ['n3: its agent has no session'],
  ]); // prettier-ignore
  expect(imagesText({ cluster: 'home', nodes: [] })).toBe('no images');
});
