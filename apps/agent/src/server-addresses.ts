import type { AgentConfig } from './config';

type Known = Pick<AgentConfig, 'sessionAddresses' | 'artifactAddresses'>;
const most = 8;
const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':'));

/**
 * What an agent knows of where its server is, after the server told it: the address that works now, then those of now, then those of before, for a
 * server may come back to one. Null when nothing is new.
 * @param working the address of the session of now
 */
export function learnt(known: Known, told: Known, working: string | undefined): Known | null {
  if (told.sessionAddresses.length === 0) return null; // an older server does not say
  const merge = (now: readonly string[], before: readonly string[]): string[] => {
    const all = [...new Set([...now, ...before])];
    const first = all.filter((a) => working !== undefined && hostOf(a) === hostOf(working));
    return [...new Set([...first, ...all])].slice(0, most);
  };
  const next = {
    sessionAddresses: merge(told.sessionAddresses, known.sessionAddresses),
    artifactAddresses: merge(told.artifactAddresses, known.artifactAddresses),
  };
  return JSON.stringify(next) === JSON.stringify({ sessionAddresses: known.sessionAddresses, artifactAddresses: known.artifactAddresses }) ? null : next;
}
