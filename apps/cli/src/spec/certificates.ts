import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { certificatesIn, type ClusterSpec, exitCodes } from '@strata/model';
import { CliError } from '../cli-error';

/**
 * The spec with the text of every `file:PATH` in `network.caCertificates`, `storage.metadata.caCertificates` and `storage.objects.caCertificates`; a relative path counts from the spec's own folder. Only the certificates
 * are taken over, whatever else is in such a file. @throws CliError for a file that cannot be read, or holds none
 */
export function withCertificates(spec: ClusterSpec, from: { name: string; folder: string }): ClusterSpec {
  const { network, storage } = spec.spec;
  const texts = (all: readonly string[], at: string): string[] => all.map((text) => (text.startsWith('file:') ? read(text.slice('file:'.length), { ...from, at }) : text));
  const of = (part: 'metadata' | 'objects'): object => {
    const named = storage[part]?.caCertificates;
    return named === undefined ? {} : { [part]: { ...storage[part], caCertificates: texts(named, `storage.${part}.caCertificates`) } };
  };
  const caCertificates = texts(network.caCertificates, 'network.caCertificates');
  return { ...spec, spec: { ...spec.spec, network: { ...network, caCertificates }, storage: { ...storage, ...of('metadata'), ...of('objects') } } };
} // prettier-ignore

function read(name: string, from: { name: string; folder: string; at: string }): string {
  const path = name.startsWith('~/') ? resolve(homedir(), name.slice(2)) : resolve(from.folder, name);
  const refuse = (why: string, cause?: unknown): CliError =>
    new CliError(`${from.name}: spec.${from.at} names ${name}, and ${path} ${why}; nothing was sent`, {
      exitCode: exitCodes.usage,
      remedy: 'name a file with the certificates as PEM text (-----BEGIN CERTIFICATE-----)',
      cause,
    });
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw refuse(`cannot be read: ${(cause as Error).message}`, cause);
  }
  const found = certificatesIn(text);
  if (found.length === 0) throw refuse('holds no certificate');
  return found.join('');
}
