import { connectionsIn } from './fuse';

test('only mounts of JuiceFS count, by the number of their connection', () => {
  const text = `1738 153 0:103 / /strata/rootfs rw,nosuid shared:231 - fuse.juicefs JuiceFS:strata-home rw
30 1 0:25 / / rw - overlay overlay rw
31 1 0:44 / /var/lib/lxcfs rw shared:9 - fuse.lxcfs lxcfs rw
32 1 259:3 / /data rw - ext4 /dev/sda rw
`;
  expect(connectionsIn(text)).toEqual(['103']);
});
