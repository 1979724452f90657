import { TaskError } from '@strata/tasks';

/**
 * What apt-get and dpkg say when they fail, in our words: which package, which source, what it answered, and what to do. Null when it says nothing
 * that is known here. Pure, so that each saying has a test.
 */
export function aptTrouble(said: string, retryable = true): TaskError | null {
  const found = lockTaken(said) ?? interrupted(said) ?? diskFull(said) ?? clock(said) ?? refusedBySource(said) ?? unsigned(said) ?? unreachable(said) ?? unknownPackage(said);
  return found && new TaskError(found.code, found.message, { remedy: found.remedy, retry: retryable && (found.retry ?? false), detail: wordsOf(said) });
} // prettier-ignore

interface Trouble {
  code: string;
  message: string;
  remedy: string;
  retry?: boolean;
}
/** Lines of complaint, without what apt prints besides. */
const wordsOf = (said: string): string[] => [...new Set(said.split('\n').filter((l) => /^(E|W|Err|dpkg|N):/.test(l) || /error/i.test(l)))].slice(-8);
const unique = (found: Iterable<string | undefined>): string[] => [...new Set([...found].filter((f) => f !== undefined))];
/** The source that a file's address belongs to, as its line in /etc/apt names it. */
const sourceOf = (url: string): string => url.replace(/\/(?:dists|pool|\.)\/.*$/, '').replace(/\/(?:In)?Release$/, '');

function lockTaken(said: string): Trouble | null {
  const held = /Could not get lock (\S+?)\. It is held by process (\d+) \(([^)]+)\)/.exec(said);
  if (held === null && !/Unable to acquire the dpkg frontend lock|Unable to lock (?:directory|the administration directory)/.test(said)) return null;
  const by = held ? `${held[3] ?? ''} (pid ${held[2] ?? ''})` : 'another program';
  return {
    code: 'package-lock',
    message: `${by} took the package manager's lock in between`,
    remedy: 'let it end, or stop it, then retry the step',
    retry: true,
  };
}
function interrupted(said: string): Trouble | null {
  if (!/dpkg was interrupted, you must manually run/.test(said)) return null;
  return { code: 'package-interrupted', message: 'dpkg was interrupted in the midst of an installation', remedy: 'run `dpkg --configure -a` on this machine, then retry the step' };
} // prettier-ignore
function diskFull(said: string): Trouble | null {
  const short = /You don't have enough free space in (\S+?)\.?$/m.exec(said)?.[1];
  const written = /(?:failed to write|cannot copy extracted data for|error writing to|unable to (?:create|write|flush|sync))[^\n]*?'?(\/[^\s':]+)'?[^\n]*No space left on device/.exec(said)?.[1];
  if (short === undefined && !/No space left on device/.test(said)) return null;
  const path = short ?? written ?? '/var';
  const [get, after] = [/Need to get ([\d.,]+ [kMG]?B)/.exec(said)?.[1], /After this operation, ([\d.,]+ [kMG]?B) of additional/.exec(said)?.[1]];
  const needs = [get && `${get} to fetch`, after && `${after} once installed`].filter(Boolean).join(' and ');
  return {
    code: 'disk-full',
    message: `the disk of ${path} is too full for the packages${needs ? `: they need ${needs}` : ''}`,
    remedy: `free space on the file system of ${path} (\`df -h ${path}\`; \`apt-get clean\` drops what apt keeps), then retry the step`,
  };
} // prettier-ignore
function clock(said: string): Trouble | null {
  const early = /Release file for (\S+) is not valid yet \(invalid for another ([^)]+)\)/.exec(said);
  if (early)
    return {
      code: 'package-source-clock',
      message: `${sourceOf(early[1] ?? '')} was signed later than this machine's clock shows: valid in ${early[2] ?? ''}`,
      remedy: 'set the clock of this machine right (`timedatectl`, chrony), then retry the step',
    };
  const late = /Release file for (\S+) is expired \(invalid since ([^)]+)\)/.exec(said);
  if (!late) return null;
  return {
    code: 'package-source-clock',
    message: `what ${sourceOf(late[1] ?? '')} serves ran out ${late[2] ?? ''} ago by this machine's clock`,
    remedy: 'see whether the clock of this machine is right (`timedatectl`); if it is, this mirror is no longer kept: name another in /etc/apt, then retry the step',
  };
} // prettier-ignore
/** A source that answers, and says no: 403, 404, 407, 451 and their like. 5xx and 429 may pass. */
function refusedBySource(said: string): Trouble | null {
  const answers = [...said.matchAll(/Failed to fetch (\S+)\s+(\d{3})\s+([^[\n]*)/g)];
  const [first] = answers;
  if (!first) {
    const none = /The repository '(\S+)[^']*' (?:does not have|no longer has) a Release file/.exec(said);
    if (!none) return null;
    const status = /^\s+(\d{3} {1,2}[^[\n]*)/m.exec(said)?.[1]?.trim();
    return {
      code: 'package-source',
      message: `the package source ${none[1] ?? ''} ${status ? `answered "${status.replace(/\s+/g, ' ')}"` : 'has no Release file'}`,
      remedy: 'mend or remove that source in /etc/apt/sources.list or sources.list.d, or let the source admit this machine, then retry the step',
    };
  }
  const [, url = '', status = '', words = ''] = first;
  const files = unique(answers.map((a) => a[1]?.split('/').at(-1)?.split('_')[0])).filter((name) => !/^(In)?Release/.test(name));
  const proxy = status === '407' ? "the proxy's account (Acquire::http::Proxy)" : 'that source in /etc/apt, or ask its owner why it says no';
  return {
    code: 'package-source',
    message: `the package source ${sourceOf(url)} answered "${status} ${words.trim()}"${files.length > 0 ? ` for ${files.slice(0, 5).join(', ')}` : ''}`,
    remedy: `mend ${proxy}, then retry the step`,
    retry: /^(5|429|408)/.test(status),
  };
}
function unsigned(said: string): Trouble | null {
  const key = /GPG error: (\S+).*?: (.*(?:NO_PUBKEY|EXPKEYSIG|BADSIG|REVKEYSIG) ?(\w*).*)/.exec(said);
  const repository = /The repository '(\S+)[^']*' is (?:not|no longer) signed/.exec(said)?.[1];
  if (!key && repository === undefined) return null;
  const why = key?.[2]?.trim().replace(/^The following signatures (?:couldn't be verified because the public key is not available|were invalid): /, '');
  return {
    code: 'package-source-unsigned',
    message: `the package source ${repository ?? sourceOf(key?.[1] ?? '')} is not signed by a key that this machine trusts${why ? `: ${why}` : ''}`,
    remedy: 'install its key (signed-by= in its line of /etc/apt), or remove the source, then retry the step',
  };
}
function unreachable(said: string): Trouble | null {
  const m = /(?:Could not resolve|Temporary failure resolving) '([^']+)'/.exec(said);
  if (m) return { code: 'package-source-unreachable', message: `the name of the package source ${m[1] ?? ''} cannot be resolved`, remedy: 'mend the name service of this machine (/etc/resolv.conf), or name a proxy or mirror, then retry the step', retry: true };
  const [, where, why] = /(?:Could not connect to|Unable to connect to) ([^\s(]+)[^\n]*?((?:Connection refused|Connection timed out|Network is unreachable|No route to host|connection timed out)[^\n]*)/i.exec(said) ?? [];
  if (where === undefined) return null;
  return { code: 'package-source-unreachable', message: `the package source ${where.replace(/:$/, '')} cannot be reached: ${(why ?? '').replace(/\W+$/, '')}`, remedy: 'open the way from this machine to its package sources, or name a proxy or mirror, then retry the step', retry: true };
} // prettier-ignore
function unknownPackage(said: string): Trouble | null {
  const names = unique([
    ...[...said.matchAll(/Unable to locate package (\S+)/g)].map((m) => m[1]),
    ...[...said.matchAll(/Package '?(\S+?)'? (?:has no installation candidate|is not available, but)/g)].map((m) => m[1]),
    ...[...said.matchAll(/Couldn't find any package by (?:glob|regex) '([^']+)'/g)].map((m) => m[1]),
  ]);
  if (names.length === 0) return null;
  return {
    code: 'package-unknown',
    message: `no package source of this machine has ${names.join(', ')}`,
    remedy: 'correct the name in native.packages, or add the source that has it to /etc/apt, then retry the step',
  };
}
