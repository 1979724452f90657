import type { Finding } from '@strata/model';

/** The install cannot go on with this. */
export const blocker = (code: string, message: string, remedy: string): Finding => ({ severity: 'blocker', code, message, remedy });
export const warning = (code: string, message: string, remedy: string): Finding => ({ severity: 'warning', code, message, remedy });
export const info = (code: string, message: string): Finding => ({ severity: 'info', code, message, remedy: '' });
/** Bytes for people. */
export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
