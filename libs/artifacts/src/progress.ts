/** How far something is: bytes done, bytes in all (0 while unknown), and what is going on in words. */
export interface Progress {
  bytes: number;
  total: number;
  note: string;
}
export type OnProgress = (progress: Progress) => void;
