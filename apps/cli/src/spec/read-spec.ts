import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ClusterSpec, exitCodes, knownKubernetesVersions, notPlain } from '@strata/model';
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, type Pair, parseDocument } from 'yaml';
import type { z } from 'zod';
import { CliError, usage } from '../cli-error';
import { withCertificates } from './certificates';

/** One thing that is wrong in a file. Line and column count from 1. */
export interface SpecIssue {
  line: number;
  column: number;
  path: string; // spec.nodes[1].address; empty for the whole file
  message: string;
}
/** `written`: by node, the fields under `ssh` that the file itself has; the schema's defaults hide that. */
export interface GoodSpec {
  spec: ClusterSpec;
  written: ReadonlyMap<string, ReadonlySet<string>>;
}
export type SpecRead = (GoodSpec & { issues: [] }) | { spec: null; issues: SpecIssue[] };
type Issue = z.core.$ZodIssue;

/** More aliases than that are no spec that a person wrote. */
const mostAliases = 50;

/** Reads a cluster spec. Everything that is wrong is told at once, each with its place. */
export function readSpec(text: string): SpecRead {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, strict: true });
  const place = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  // after a tab in the indentation all else that YAML says is a consequence of it
  const tabs = document.errors.filter((e) => e.code === 'TAB_AS_INDENT');
  const syntax = (tabs.length > 0 ? tabs.slice(0, 1) : [...document.errors, ...document.warnings]).map((e) => ({
    ...place(e.pos[0]),
    path: '',
    message: plainYaml(e.code, e.message),
  }));
  if (document.errors.some((e) => e.code !== 'DUPLICATE_KEY')) return { spec: null, issues: sorted(syntax) };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: mostAliases });
  } catch (error) {
    const message = (error as Error).message.startsWith('Excessive')
      ? `too many aliases (at most ${mostAliases}): write the values out`
      : (error as Error).message;
    return { spec: null, issues: sorted([...syntax, { line: 1, column: 1, path: '', message }]) };
  }
  if (value === null || value === undefined)
    return { spec: null, issues: [{ line: 1, column: 1, path: '', message: 'the file is empty: `strata init` prints a spec to begin with' }] };
  const strange = notPlain(value);
  if (strange) {
    const at = { ...place(offsetOf(document, strange.path)), path: pathText(strange.path), message: strange.message };
    return { spec: null, issues: sorted([...syntax, at]) };
  }
  const parsed = ClusterSpec.safeParse(value);
  const unknown = parsed.success ? unknownVersion(parsed.data) : null;
  if (parsed.success && syntax.length === 0 && unknown === null) return { spec: parsed.data, written: writtenIn(value), issues: [] };
  const found = parsed.success ? (unknown ? [unknown] : []) : [...parsed.error.issues, ...acrossFields(value, parsed.error.issues)];
  const issues = found.flatMap((issue) => toIssues(document, issue)).map(({ offset, ...rest }) => ({ ...place(offset), ...rest }));
  return { spec: null, issues: sorted([...syntax, ...issues]) };
}

/** Reads a file, or standard input for `-`. @throws CliError (exit 2) with every issue as FILE:LINE:COLUMN */
export function readSpecFile(path: string): GoodSpec {
  return goodSpec(path, lookAtSpecFile(path));
}
/** What was read of a file, which is not read again: standard input is there once. @throws CliError (exit 2), as `readSpecFile` */
export function goodSpec(path: string, read: SpecRead): GoodSpec {
  const name = path === '-' ? 'standard input' : path;
  if (read.spec) return { ...read, spec: withCertificates(read.spec, { name, folder: path === '-' ? '.' : dirname(path) }) };
  throw new CliError([`${name} is not a spec that can be used; nothing was sent`, ...read.issues.map((i) => `  ${issueText(name, i)}`)].join('\n'), {
    exitCode: exitCodes.usage,
    remedy: 'correct what is named, then try again',
  });
}
/** Reads it without judging. @throws CliError when there is nothing to read */
export function lookAtSpecFile(path: string): SpecRead {
  let text: string;
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (cause) {
    throw usage(`${path} cannot be read: ${(cause as Error).message}`, 'name the spec with -f FILE; `strata init > cluster.yaml` makes one', cause);
  }
  return readSpec(text);
}
export const issueText = (file: string, i: SpecIssue): string => `${file}:${i.line}:${i.column}: ${i.path === '' ? '' : `${i.path}: `}${i.message}`;

const k3sVersion = /^\d+\.\d+\.\d+(-rc\d+)?\+k3s\d+$/;
/** A version that nothing can be made of is told here, not first when a plan is made. Which of K3s' versions there are is the catalog's business, their form is not. */
function unknownVersion({ spec: { distribution } }: ClusterSpec): Issue | null {
  const { kind, version } = distribution;
  if (version === undefined || (kind === 'kubernetes' ? knownKubernetesVersions.includes(version) : k3sVersion.test(version))) return null;
  const message =
    kind === 'kubernetes'
      ? `Kubernetes ${version} is not known here; choose one of: ${knownKubernetesVersions.join(', ')}`
      : `${version} is not a version of K3s, which has +k3s and a number at its end, as 1.34.4+k3s1; catalog/k3s.yaml lists those that can be had, and without this line the newest is taken`;
  return { code: 'custom', path: ['spec', 'distribution', 'version'], message, input: version };
}

/** Zod leaves the rules that span several fields out once a single field is wrong; people want both at once. */
function acrossFields(value: unknown, found: readonly Issue[]): Issue[] {
  if (found.every((i) => i.code === 'custom')) return [];
  const nodes = (value as { spec?: { nodes?: unknown } } | null)?.spec?.nodes;
  if (!Array.isArray(nodes) || nodes.length === 0) return [];
  const bare = nodes.map((n: unknown, i) => {
    const { name, address, role } = (typeof n === 'object' && n !== null ? n : {}) as Record<string, unknown>;
    const text = (v: unknown): string | undefined => (typeof v === 'string' && v !== '' ? v : undefined);
    // what is not valid by itself was told already: something that clashes with nothing stands in for it
    const valid = (field: 'name' | 'address' | 'role', v: unknown): boolean =>
      !found.some((f) => f.path.join('.') === `spec.nodes.${i}.${field}`) && text(v) !== undefined;
    return {
      name: valid('name', name) ? name : `unnamed-${i}`,
      join: 'token',
      ...(valid('address', address) ? { address } : {}),
      role: valid('role', role) ? role : role === undefined ? 'worker' : 'control-plane',
    };
  });
  const spec = { apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name: 'x' }, spec: { nodes: bare } };
  const again = ClusterSpec.safeParse(spec);
  const told = new Set(found.map((i) => i.message));
  return again.success ? [] : again.error.issues.filter((i) => i.code === 'custom' && !told.has(i.message));
}

function writtenIn(value: unknown): Map<string, Set<string>> {
  const { nodes } = (value as { spec: { nodes: { name: string; ssh?: object }[] } }).spec;
  return new Map(nodes.map((n) => [n.name, new Set(Object.keys(n.ssh ?? {}))]));
}

interface Placed {
  offset: number;
  path: string;
  message: string;
}
function toIssues(document: Document.Parsed, issue: Issue): Placed[] {
  const path = issue.path.filter((p) => typeof p !== 'symbol');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ offset: offsetOf(document, [...path, key]), path: pathText([...path, key]), message: `unknown field "${key}"` }));
  return [{ offset: offsetOf(document, path), path: pathText(path), message: messageOf(issue) }];
}
function messageOf(issue: Issue): string {
  if (issue.code === 'invalid_union') {
    const words = [...new Set(issue.errors.flat().map(messageOf))];
    return words.length > 0 ? words.join(', or ') : issue.message;
  }
  if (issue.code === 'invalid_type' && issue.input === undefined && issue.message.endsWith('received undefined')) return `is missing (${issue.expected})`;
  if (issue.code === 'invalid_value') return `must be ${issue.values.map((v) => JSON.stringify(v)).join(' or ')}`;
  return issue.message.replace(/^Invalid input: /, '');
}
const pathText = (path: readonly (string | number)[]): string => path.map((p, i) => (typeof p === 'number' ? `[${p}]` : i === 0 ? p : `.${p}`)).join('');

/** Where a path stands in the text: its key, or, for what is missing, the nearest thing above it. */
function offsetOf(document: Document.Parsed, path: readonly (string | number)[]): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const part = path.slice(0, length);
    const key = keyOffset(document, part);
    if (key !== null) return key;
    const node = length === 0 ? document.contents : document.getIn(part, true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
function keyOffset(document: Document.Parsed, path: readonly (string | number)[]): number | null {
  const last = path.at(-1);
  if (typeof last !== 'string') return null;
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return null;
  const pair = parent.items.find((p): p is Pair => isPair(p) && isScalar(p.key) && p.key.value === last);
  return isScalar(pair?.key) && pair.key.range ? pair.key.range[0] : null;
}

const plainYaml = (code: string, message: string): string =>
  code === 'DUPLICATE_KEY' ? 'this key is there twice' : code === 'TAB_AS_INDENT' ? 'a tab: YAML is indented with spaces only' : message.split('\n')[0]!;
const sorted = (issues: SpecIssue[]): SpecIssue[] => [...issues].sort((a, b) => a.line - b.line || a.column - b.column);
