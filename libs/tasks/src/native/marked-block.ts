/** A part of somebody else's text file that is ours, between two marker lines. */
const begin = '# BEGIN Strata: this part is written by Strata, change it in the cluster spec';
const end = '# END Strata';

/** The text with our block as it shall be; an empty `lines` takes it out. Nothing else in the text changes. */
export function withBlock(text: string, lines: readonly string[]): string {
  const rest = withoutBlock(text);
  if (lines.length === 0) return rest;
  const separator = rest === '' || rest.endsWith('\n') ? '' : '\n';
  return `${rest}${separator}${begin}${separator === '' ? '' : ' (no newline before)'}\n${lines.join('\n')}\n${end}\n`;
}
/** The same with our block on top, for files whose first lines count most. */
export function withBlockFirst(text: string, lines: readonly string[]): string {
  return lines.length === 0 ? withoutBlock(text) : `${begin}\n${lines.join('\n')}\n${end}\n${withoutBlock(text)}`;
}
/** The text as it was before our block, to the byte. */
export function withoutBlock(text: string): string {
  const block = blockOf(text);
  if (block === null) return text;
  const start = text.indexOf(begin);
  const isGlued = block.slice(0, block.indexOf('\n')).endsWith('(no newline before)');
  return text.slice(0, isGlued ? start - 1 : start) + text.slice(start + block.length + 1);
}
export const hasBlock = (text: string): boolean => text.includes(begin);
/** Our block with its marker lines, or null where there is none. */
export function blockOf(text: string): string | null {
  const start = text.indexOf(begin);
  if (start < 0) return null;
  const stop = text.indexOf(`${end}\n`, start);
  return stop < 0 ? text.slice(start) : text.slice(start, stop + end.length);
}
