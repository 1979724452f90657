import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { must } from '../programs';
import { blocker, info, warning } from './findings';

const words = (ms: number): string => {
  const s = Math.abs(ms) / 1000;
  return s < 120 ? `${s.toFixed(1)} s` : s < 7200 ? `${Math.round(s / 60)} minutes` : `${(s / 3600).toFixed(1)} hours`;
};

/** This machine's clock against the control server's. Certificates and leases do not bear more than a minute. */
export const precheckClock = definePrecheck({
  name: 'precheck.clock', version: 1,
  title: "The clock agrees with the control server's",
  // when the look was asked for: right only for a look over SSH; the time zones of the other nodes
  input: z.strictObject({ serverTimeMs: z.number().optional(), zones: z.array(z.string().regex(/^[\w+-]+(\/[\w+-]+)*$/)).default([]) }),
  async look({ host, input, serverNow }) {
    const wallMs = Number((await must(host, ['date', '+%s.%N'])).stdout) * 1000;
    const server = serverNow ? serverNow() : input.serverTimeMs;
    const skew = Math.round(wallMs - (server ?? wallMs));
    const what = `the clock is ${words(skew)} ${skew > 0 ? 'ahead of' : 'behind'} the control server's`;
    const { time } = await host.facts('time');
    const others = [...new Set(input.zones)].filter((zone) => time.zone !== undefined && zone !== time.zone);
    const zones = others.length > 0 ? [info('clock.zone', `the time zone here is ${time.zone ?? ''}, that of other nodes ${others.join(', ')}: their logs tell the same moment by other hours`)] : [];
    if (Math.abs(skew) <= 5_000) return zones;
    const how = time.canSet === false ? "set the clock of this container's host" : 'set the clock (`chronyd -q`, or `timedatectl set-time`) or give `native.ntp.servers`';
    return [...zones, Math.abs(skew) > 60_000 ? blocker('clock.skew', what, how) : warning('clock.skew', what, how)];
  },
}); // prettier-ignore
