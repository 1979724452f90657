export { keyPair } from './key-pair';
export { sshServer, type TestServer } from './ssh-server';
