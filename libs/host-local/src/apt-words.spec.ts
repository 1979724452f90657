import { aptTrouble } from './apt-words';

/** As apt 2.6 and dpkg 1.21 said them. */
const sayings: [what: string, said: string, code: string, says: RegExp, remedy: RegExp][] = [
  ['a lock', 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (apt-get)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?', 'package-lock', /apt-get \(pid 812\)/, /let it end/],
  ['a lock of lists', 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 77 (perl)\nE: Unable to lock directory /var/lib/apt/lists/', 'package-lock', /perl \(pid 77\)/, /let it end/],
  ['an interrupted dpkg', "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem. ", 'package-interrupted', /interrupted/, /dpkg --configure -a/],
  ['a disk too small to fetch', 'Need to get 38.1 MB of archives.\nAfter this operation, 151 MB of additional disk space will be used.\nE: You don\'t have enough free space in /var/cache/apt/archives/.', 'disk-full', /\/var\/cache\/apt\/archives.*38\.1 MB to fetch and 151 MB once installed/, /free space on the file system of \/var\/cache/],
  ['a disk that fills', "dpkg: error processing archive /var/cache/apt/archives/tree_2.1.0-1_amd64.deb (--unpack):\n cannot copy extracted data for './usr/bin/tree' to '/usr/bin/tree.dpkg-new': failed to write (No space left on device)", 'disk-full', /the disk of \/usr\/bin\/tree/, /retry the step/],
  ['an unknown package', 'Reading package lists...\nE: Unable to locate package no-such-thing\nE: Unable to locate package nor-this', 'package-unknown', /has no-such-thing, nor-this/, /native\.packages/],
  ['a package that is only spoken of', "Package telnetd is not available, but is referred to by another package.\nE: Package 'telnetd' has no installation candidate", 'package-unknown', /has telnetd$/, /native\.packages/],
  ['a source that forbids', 'E: Failed to fetch http://deb.example/debian/pool/main/t/tree/tree_2.1.0-1_amd64.deb  403  Forbidden [IP: 10.78.1.1 80]\nE: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?', 'package-source', /http:\/\/deb\.example\/debian answered "403 Forbidden" for tree/, /that source in \/etc\/apt/],
  ['a source without a release', "Err:1 http://deb.example/debian bookworm Release\n  404  Not Found [IP: 10.78.1.1 80]\nE: The repository 'http://deb.example/debian bookworm Release' does not have a Release file.", 'package-source', /http:\/\/deb\.example\/debian answered "404 Not Found"/, /sources\.list/],
  ['a source that nobody signed', "E: The repository 'http://deb.example/debian bookworm Release' is not signed.", 'package-source-unsigned', /http:\/\/deb\.example\/debian is not signed/, /signed-by/],
  ['a source with an unknown key', "W: GPG error: http://deb.example/debian bookworm InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 0E98404D386FA1D9\nE: The repository 'http://deb.example/debian bookworm InRelease' is not signed.", 'package-source-unsigned', /NO_PUBKEY 0E98404D386FA1D9/, /signed-by/],
  ['a clock that is behind', 'E: Release file for http://deb.example/debian/dists/bookworm/InRelease is not valid yet (invalid for another 3h 2min 11s). Updates for this repository will not be applied.', 'package-source-clock', /http:\/\/deb\.example\/debian was signed later.*3h 2min 11s/, /clock/],
  ['a mirror that nobody keeps', 'E: Release file for http://deb.example/debian/dists/bookworm/InRelease is expired (invalid since 12d 3h). Updates for this repository will not be applied.', 'package-source-clock', /ran out 12d 3h ago/, /mirror/],
  ['a name without address', "W: Failed to fetch http://deb.example/debian/dists/bookworm/InRelease  Temporary failure resolving 'deb.example'", 'package-source-unreachable', /deb\.example cannot be resolved/, /resolv\.conf/],
  ['a source that does not answer', 'Err:1 http://deb.example bookworm InRelease\n  Could not connect to deb.example:80 (10.78.1.1). - connect (111: Connection refused)', 'package-source-unreachable', /deb\.example:80 cannot be reached: Connection refused/, /open the way/],
]; // prettier-ignore
it.each(sayings)('%s', (...[, said, code, says, remedy]) => {
  const is = aptTrouble(said);
  expect([is?.code, is?.message, is?.remedy]).toEqual([code, expect.stringMatching(says), expect.stringMatching(remedy)]);
});
it('tries again by itself only where time may cure it', () => {
  const retry = sayings.filter(([, said]) => aptTrouble(said)?.retry).map(([what]) => what);
  expect(retry).toEqual(['a lock', 'a lock of lists', 'a name without address', 'a source that does not answer']);
});
it('leaves what it does not know to the reader', () => expect(aptTrouble('E: Sub-process /usr/bin/dpkg returned an error code (1)')).toBeNull());
