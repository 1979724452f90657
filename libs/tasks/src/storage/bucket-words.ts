import type { Finding } from '@strata/model';
import { blocker } from '../native/findings';
import type { BucketError } from '../ports/bucket';

/** Keys that a cluster's volume and what belongs to it may have; all else in its bucket is somebody else's. `strata-a` is no part of `strata-ab`. */
export const oursBegin = (volume: string): string[] => [`${volume}/`, `${volume}.`];
export const isOurs = (volume: string, key: string): boolean => oursBegin(volume).some((begin) => key.startsWith(begin));

const wrongKey = new Set(['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidToken', 'AuthFailure', 'status 401']);
const noSpace = /StorageFull|InsufficientStorage|QuotaExceeded|NoSpace|status 507/i;
const denied = /AccessDenied|Forbidden|AllAccessDisabled|status 403|MethodNotAllowed/;
const skew = (ms: number | null): string => (ms === null ? '' : `: this machine is ${Math.round(Math.abs(ms) / 1000)} s ${ms > 0 ? 'ahead of' : 'behind'} it`);

/** What an answer of the store means for whoever asked for it. `doing`: what was tried. Null where another try may help. */
export function findingOf(e: BucketError, at: { endpoint: string; bucket: string; doing: 'list' | 'write' | 'read' | 'delete' }): Finding | null {
  const { s3 } = e;
  const finding = (code: string, message: string, remedy: string): Finding => blocker(`storage.${code}`, `${message} [${e.message}]`, remedy);
  if (s3 === 'RequestTimeTooSkewed' || s3 === 'RequestExpired')
    return finding('clock-skew', `the object store refuses this machine's clock${skew(e.about.skewMs)}`, 'set both clocks right (an NTP service on each), then apply again');
  if (wrongKey.has(s3))
    return finding('wrong-key', `the object store does not know this key (${s3})`, 'give the right `accessKeyFrom` and `secretKeyFrom`, then apply again');
  if (s3 === 'NoSuchBucket') return finding('no-bucket', `there is no bucket ${at.bucket}`, `make the bucket ${at.bucket}, empty and without versioning, then apply again`);
  if (/PermanentRedirect|AuthorizationHeaderMalformed|InvalidRegion|IllegalLocationConstraint|status 30\d/.test(s3))
    return finding('wrong-region', 'the bucket is in another region, or behind another endpoint', 'give the right `region` and `endpoint`, then apply again');
  if (noSpace.test(s3)) return finding('no-space', 'the object store has no space', 'make room there, or raise the quota of the bucket, then apply again');
  if (s3 === 'tls')
    return finding('untrusted', `${at.endpoint} shows a certificate that this machine does not trust`, 'name its authority in `storage.objects.caCertificates`, then apply again');
  if (s3 === 'unreachable' && e.about.status === null)
    return finding('unreachable', `this machine does not reach ${at.endpoint}`, 'see name, port, firewall and whether it runs; no proxy is used for it; then apply again');
  if (!denied.test(s3)) return null;
  if (at.doing === 'list') return finding('wrong-key', `this key may not list the bucket ${at.bucket}`, 'give a key that may list, read, write and delete there, then apply again');
  const may = `give a key that may list, read, write and delete in ${at.bucket}, and see that the bucket is not read-only, then apply again`;
  return finding(at.doing === 'write' ? 'read-only' : `no-${at.doing}`, `this key may not ${at.doing} in the bucket ${at.bucket}`, may);
} // prettier-ignore
