import { randomBytes } from 'node:crypto';

/** Names what a test made: with the test's process, so that a later run can take away what a killed one left behind. */
export const newMark = (): string => `t${process.pid}-${randomBytes(3).toString('hex')}`;
