import { createServer, type AddressInfo } from 'node:net';
import { mustBeFree } from './ports-free';

it('names every port that another program has, with the setting that chooses another', async () => {
  const other = createServer();
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  const { port } = other.address() as AddressInfo;
  const any = { host: '127.0.0.1', port: 0 };
  const at = { home: '/srv/strata', listen: { api: any, agents: { host: '127.0.0.1', port }, enrollment: any, artifacts: { host: '127.0.0.1', port } } };
  await expect(mustBeFree(at)).rejects.toThrow(
    new RegExp(
      `^port ${port} is taken by another program .*agentPort in /srv/strata/server.yaml\nport ${port} is taken .*artifactPort in /srv/strata/server.yaml$`,
    ),
  );
  await new Promise((done) => other.close(done));
  await expect(mustBeFree(at)).resolves.toBeUndefined();
});
