import { InvalidArgumentError } from 'commander';

/** Bytes of `4G`, `512M`, `1024K` or a plain number (powers of 1024). */
export function parseSize(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError('must be a size such as 4G or 512M');
  return Math.round(Number(number) * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf((unit ?? '').toUpperCase()));
}

/** Kilobits a second of `1mbit`, `500kbit`, `1gbit`. */
export function parseRate(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([kmg])bit$/i.exec(text) ?? [];
  if (number === undefined || Number(number) === 0) throw new InvalidArgumentError('must be a rate such as 1mbit or 500kbit');
  return Math.max(1, Math.round(Number(number) * { k: 1, m: 1000, g: 1_000_000 }[(unit ?? 'k').toLowerCase() as 'k' | 'm' | 'g']));
}

/** A whole number of at least 1. */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('must be a whole number of at least 1');
  return Number(text);
}

/** The size of a packet that a link may take: 576 bytes to 9000. */
export function parseMtu(text: string): number {
  const value = parseCount(text);
  if (value < 576 || value > 9000) throw new InvalidArgumentError('must be between 576 and 9000');
  return value;
}

/** A share in percent, 0 to 100; a `%` after it is allowed. */
export function parsePercent(text: string): number {
  const value = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : NaN;
  if (!(value >= 0 && value <= 100)) throw new InvalidArgumentError('must be a percentage between 0 and 100');
  return value;
}

/** A lab's name: it becomes the cluster's name and part of cgroup names. */
export function parseName(text: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(text))
    throw new InvalidArgumentError('must be lower-case letters, digits and "-", at most 40, beginning and ending with a letter or digit');
  return text;
}

/** Words separated by commas. */
export const parseList = (text: string): string[] =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
