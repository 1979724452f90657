/** Whether an error, or what caused it, is a file system without space (ENOSPC) or beyond its quota (EDQUOT). */
export function isNoSpace(error: unknown): boolean {
  for (let e = error; typeof e === 'object' && e !== null; e = (e as { cause?: unknown }).cause)
    if (['ENOSPC', 'EDQUOT'].includes((e as { code?: string }).code ?? '')) return true;
  return false;
}
