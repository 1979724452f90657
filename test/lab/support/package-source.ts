import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A package source on the lab's own bridge that says no, each in another way, by the first part of the path. */
export interface PackageSource {
  /** The line of /etc/apt/sources.list for one of its ways. */
  line(way: 'forbidden' | 'unsigned' | 'early' | 'offers'): string;
  url: string;
  close(): Promise<void>;
}

/** The one package that it offers, and never gives: 403. */
export const offered = 'strata-offered';
const packages = `Package: ${offered}\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody\nDescription: is offered, and refused\nFilename: ./${offered}_1.0_all.deb\nSize: 1000\nSHA256: ${'0'.repeat(64)}\n\n`;

function release(at: Date): string {
  const digest = createHash('sha256').update(packages).digest('hex');
  return `Origin: test\nSuite: test\nArchitectures: all amd64\nDate: ${at.toUTCString().replace('GMT', 'UTC')}\nSHA256:\n ${digest} ${packages.length} Packages\n`;
}

export async function packageSource(address: string): Promise<PackageSource> {
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const file = path.split('/').at(-1) ?? '';
    const [, way = ''] = path.split('/');
    const answer = (status: number, text: string): void => void response.writeHead(status, { 'content-length': text.length }).end(text);
    if (way === 'forbidden') return answer(403, 'no');
    if (file === 'Release') return answer(200, release(new Date(Date.now() + (way === 'early' ? 3 * 3_600_000 : -60_000))));
    if (file === 'Packages') return answer(200, packages);
    return answer(file.endsWith('.deb') ? 403 : 404, 'no');
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, address, resolve));
  const url = `http://${address}:${(server.address() as AddressInfo).port}`;
  return {
    url,
    line: (way) => `deb ${way === 'unsigned' ? '' : '[trusted=yes check-date=yes] '}${url}/${way} ./`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
