import { ownTrouble } from './own-trouble';

const disk = { bsize: 4096, blocks: 1e6, bavail: 5e5, files: 1e5, ffree: 9e4 };

test('a disk with space is no trouble; one without, or without inodes, is named', () => {
  expect(ownTrouble('/var/lib/strata', () => disk)).toBe('');
  expect(ownTrouble('/var/lib/strata', () => ({ ...disk, bavail: 10 }))).toMatch(
    /^the disk of \/var\/lib\/strata is full: 41\.0 kB of 4\.1 GB are left \(ENOSPC\)$/,
  );
  expect(ownTrouble('/var/lib/strata', () => ({ ...disk, ffree: 3 }))).toMatch(/only 3 inodes are left/);
  expect(ownTrouble('/nowhere/at/all')).toMatch(/\/nowhere\/at\/all cannot be looked at: ENOENT/);
});
