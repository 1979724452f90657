import { otherUser } from './other-user';

const cloud = 'Please login as the user "ubuntu" rather than the user "root".\n\n';
test.each([
  [cloud, 'ubuntu'],
  ['Please login as the user "ec2-user" rather than the user "root".', 'ec2-user'],
  ["Please log in as the user 'debian'.", 'debian'],
  ['Please login as ops', 'ops'],
])('%s', (said, user) => {
  const error = otherUser(said, 'root@10.0.0.1');
  expect([error?.code, error?.message, error?.remedy]).toEqual([
    'other-user',
    `root@10.0.0.1 is closed; log in as "${user}": the machine says so`,
    expect.stringContaining(`set ssh.user: ${user}`),
  ]);
});
test('nothing of the kind: other words, our own output, and a hint to be who one is', () => {
  expect(otherUser('Welcome, you have mail', 'root@h')).toBeNull();
  expect(otherUser(`strata-output-begins\n${cloud}`, 'root@h')).toBeNull();
  expect(otherUser(cloud, 'ubuntu@h')).toBeNull();
});
