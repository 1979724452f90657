import { z } from 'zod';
import { defineTask } from '../define-task';
import { K3sSettings, k3sConfig, k3sPaths as paths } from './k3s-config';
import { FolderBefore, folderBefore, restoreFolder } from './own-folder';
import { differing, writeAll, type WrittenFile } from './written-files';

const files = (settings: K3sSettings): WrittenFile[] => [{ path: paths.config, content: k3sConfig(settings), mode: 0o600 }];

export const k3sConfigure = defineTask({
  name: 'k3s.config', version: 1, layer: 'orchestration', timeout: '1m', attempts: 3,
  title: 'K3s knows what this node is to be',
  input: K3sSettings,
  before: FolderBefore,
  output: z.strictObject({}),
  async check({ host, input }) {
    const words = await differing(host, files(input));
    return words === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: words, before: await folderBefore(host, paths.etc) };
  },
  async apply({ host, input }) {
    await writeAll(host, files(input));
  },
  async undo({ host, before }) {
    await restoreFolder(host, paths.etc, before);
  },
}); // prettier-ignore
