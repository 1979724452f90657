import 'reflect-metadata'; // must be there before @peculiar/x509 is loaded
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);
export { x509 };
