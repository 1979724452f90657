import { z } from 'zod';

/** RFC 1123 label: what Kubernetes takes for a node's or a cluster's name. */
export const Name = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be lower-case letters, digits and "-", and begin and end with a letter or digit (RFC 1123)');
export const NodeName = Name.meta({ id: 'NodeName' });
export const ClusterName = Name.max(40).meta({ id: 'ClusterName' });
/** A version without a leading "v". */
export const Version = z.string().regex(/^\d+\.\d+(\.\d+)?([-+.][0-9A-Za-z.-]+)?$/, 'must be a version such as 1.37.2, without a leading "v"');
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');
/** An absolute path without `..`, newlines or NUL. */
export const AbsolutePath = z
  .string()
  .max(1024)
  .regex(/^\/[^\0\n\r]*$/, 'must be an absolute path')
  .refine((p) => !p.split('/').includes('..'), 'must not contain ".."');
/** A path that unit files and command lines take as it is. */
export const PlainPath = z
  .string()
  .max(1024)
  .regex(/^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/, 'must be an absolute path of letters, digits, ".", "_" and "-"');
/** A folder of a disk for data: nothing of the system lies below it. */
export const DataDir = PlainPath.refine(
  (p) => !/^\/(var\/lib|etc|usr|boot|proc|sys|dev|run|tmp)(\/|$)/.test(p),
  'must be a folder of a disk for data, such as /data',
);
export const Ipv4 = z.ipv4();
export const Cidr = z.cidrv4();
export const Port = z.int().min(1).max(65535);
export const ImageRef = z
  .string()
  .max(255)
  .regex(/^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+:[\w][\w.-]*$/, 'must be a full image name with a tag');
export const HostOrIp = z
  .string()
  .max(253)
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'must be a host name or an IPv4 address');
/** A Debian or RPM package name. */
export const PackageName = z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/);
export const Duration = z
  .string()
  .regex(/^\d+(ms|s|m|h|d)$/, 'must be a duration such as 30s, 10m or 1h')
  .meta({ id: 'Duration' });
const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** Milliseconds of a `Duration` such as `10m`. Throws on anything else. */
export function milliseconds(d: string): number {
  const m = /^(\d+)(ms|s|m|h|d)$/.exec(d);
  if (!m) throw new Error(`not a duration: ${d}`);
  return Number(m[1]) * unit[m[2] as keyof typeof unit];
}
