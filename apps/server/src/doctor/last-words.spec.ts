import type { Check } from '@strata/model';
import { KeepLastWords } from './last-words';

const check = (verdict: Check['verdict']): Check => ({
  code: 'node.disk',
  where: 'n1',
  title: 'the disks have space',
  verdict,
  cause: '',
  remedy: '',
  evidence: [],
});

test('what an agent last said of its machine is kept until it says that it is well', () => {
  const words = new KeepLastWords();
  words.heard('n1', undefined, 1);
  expect(words.of('n1')).toEqual({ trouble: null, look: null });
  words.heard('n1', 'the disk is full', 2);
  words.looked('n1', [check('broken'), check('ok')], 3);
  expect(words.of('n1')).toEqual({ trouble: { words: 'the disk is full', at: 2 }, look: { broken: [check('broken')], at: 3 } });
  words.heard('n1', undefined, 4);
  words.looked('n1', [check('ok')], 5);
  expect(words.of('n1')).toEqual({ trouble: null, look: null });
});
