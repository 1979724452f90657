import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findRedis, prepareRedis, redisCommand, redisPid } from '@strata/queue/redis';
import { giveTree } from './home';
import { installRedis } from './install-redis';
import type { Part } from './keeper';
import type { Logs } from './logs';
import { findProcesses } from './processes';

/** Our own Redis in `dir`. */
export function redisPart(dir: string, logs: Logs): Part {
  const [config, socket] = [join(dir, 'redis.conf'), join(dir, 'redis.sock')];
  return {
    name: 'redis',
    find: () => findProcesses((argv) => argv[0]?.endsWith('redis-server') === true && argv.includes(config), dir)[0],
    prepare: async (stopping) => {
      const program = findRedis() ?? (await installRedis({ say: (text) => logs.say(`redis: ${text}`), stopping }));
      const home = prepareRedis(dir);
      const { account } = home;
      if (account && readdirSync(dir).some((name) => statSync(join(dir, name)).uid !== account.uid)) giveTree(dir, account);
      return redisCommand(home, program);
    },
    answers: async () => (await redisPid({ dir, config, socket, url: `unix://${encodeURI(socket)}`, account: undefined })) !== undefined,
    stop: { signal: 'SIGTERM', deadlineMs: 10_000, thenSignal: 'SIGKILL' }, // the same as SHUTDOWN: writes out what is not yet on disk
  };
}
