import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { must } from '../programs';
import { blocker, warning } from './findings';

const words = (ms: number): string => {
  const s = Math.abs(ms) / 1000;
  return s < 120 ? `${s.toFixed(1)} s` : s < 7200 ? `${Math.round(s / 60)} minutes` : `${(s / 3600).toFixed(1)} hours`;
};

/** This machine's clock against the control server's. Certificates and leases do not bear more than a minute. */
export const precheckClock = definePrecheck({
  name: 'precheck.clock', version: 1,
  title: "The clock agrees with the control server's",
  input: z.strictObject({ serverTimeMs: z.number().optional() }), // when the look was asked for: right only for a look over SSH
  async look({ host, input, serverNow }) {
    const wallMs = Number((await must(host, ['date', '+%s.%N'])).stdout) * 1000;
    const server = serverNow ? serverNow() : input.serverTimeMs;
    const skew = Math.round(wallMs - (server ?? wallMs));
    if (Math.abs(skew) <= 5_000) return [];
    const what = `the clock is ${words(skew)} ${skew > 0 ? 'ahead of' : 'behind'} the control server's`;
    const { time } = await host.facts('time');
    const how = time.canSet === false ? "set the clock of this container's host" : 'set the clock (`chronyd -q`, or `timedatectl set-time`) or give `native.ntp.servers`';
    return [Math.abs(skew) > 60_000 ? blocker('clock.skew', what, how) : warning('clock.skew', what, how)];
  },
}); // prettier-ignore
