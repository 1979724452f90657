import type { WrittenFile } from '../orchestration/written-files';
import { mountPaths as paths, systemdFolder } from './storage-paths';

/**
 * What the metadata's own guard cannot see: its whole machine went back, with the mark. Each node counts up in the time of a file of its own in the shared
 * tree (a change of metadata alone: nothing of it goes into the bucket), and keeps the number on its own disk. A file that has less than that went back:
 * the mount ends at once, and stays away until a restore (`storage.leave` takes the note back).
 */
const script = ({ path, node }: { path: string; node: string }): string => `#!/bin/sh
# Written by Strata: ends the mount of a tree that is older than this node saw it
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 077
cd ${paths.folder} || exit 1
file=${path}/.strata/view/${node}.beat
ours() { [ "$(awk -v at=${path} '$2 == at { is = $3 } END { print is }' /proc/self/mounts)" = fuse.juicefs ]; } # what somebody mounted above it says nothing of the tree
keep() { cat >"$1.part" && sync "$1.part" && mv -f "$1.part" "$1" && sync .; }
look() {
  was=$(cat beat 2>/dev/null || echo 0)
  ours || return
  said=$(timeout 30 stat -c %Y -- "$file" 2>&1)
  ours || return
  case $said in
    *'No such file'*) is=0 ;;
    '' | *[!0-9]*) return ;; # it does not answer: that is no older tree
    *) is=$said ;;
  esac
  if [ "$is" = 0 ] && [ "$was" = 0 ]; then timeout 30 touch -d @1 -- "$file" 2>/dev/null && echo 1 | keep beat
  elif [ "$is" -lt "$was" ]; then
    echo "<3>closed: the tree went back from $was to $is as this node counts; it is not mounted before a restore: strata storage restore" >&2
    echo "the tree went back from $was to $is as this node counts" | keep closed
    systemctl --no-block stop ${paths.unit}
    exit 0
  else timeout 30 touch -d "@$((is + 1))" -- "$file" 2>/dev/null && echo "$((is + 1))" | keep beat
  fi
}
while :; do
  look
  sleep 3
done
`;
const unit = `# Written by Strata
[Unit]
Description=How far this node saw the shared file system, kept outside of it
After=${paths.unit}
BindsTo=${paths.unit}

[Service]
ExecStart=/bin/sh ${paths.guard}
UMask=0077
Restart=on-failure
RestartSec=3
`;
export const markFiles = (of: { path: string; node: string }): WrittenFile[] => [
  { path: paths.guard, content: script(of), mode: 0o600 },
  { path: `${systemdFolder}/${paths.markUnit}`, content: unit },
];
