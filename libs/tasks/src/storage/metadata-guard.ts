import { metadataPort } from '@strata/model';
import type { WrittenFile } from '../orchestration/written-files';
import { guardPaths as guard, metadataPaths as paths, systemdFolder } from './storage-paths';

/** Counts up in the metadata's database 0 (JuiceFS has 1), and outside of it: a copy that is older is known by it, whatever else it holds. */
export const beatKey = 'strata-beat';
/** JuiceFS' own: what was given out once must never be given out again. */
export const counterKeys = ['nextchunk', 'nextinode', 'nextsession'] as const;
/** Who may administer the metadata. */
export const adminUser = 'strata-admin';
export const adminText = (password: string): string => `REDISCLI_AUTH=${password}\n`;

/**
 * Metadata that went back must not be used by anybody: two nodes would get the same slice ids, and each would see the other's bytes in its own files.
 * So Redis starts with the network closed (`bind 127.0.0.1`). It is opened when its files are what they were when it stopped, and when it holds all that
 * was counted outside of it. Else it stays closed until a restore (`storage.load`), and says why in its journal and in \`closed\`.
 */
const script = (address: string): string => `#!/bin/sh
# Written by Strata: lets nobody into metadata that are older than they were
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 077
. ${paths.admin}
export REDISCLI_AUTH
mkdir -p ${guard.folder}
cd ${guard.folder} || exit 1
keep() { cat >"$1.part" && sync "$1.part" && mv -f "$1.part" "$1" && sync .; }
ask() { timeout 20 redis-cli --no-auth-warning --tls --cacert ${paths.ca} -h 127.0.0.1 -p ${metadataPort} --user ${adminUser}; }
sizes() { (cd ${paths.data} 2>/dev/null && stat -c '%n %s' -- appendonly.aof appendonlydir/* 2>/dev/null); }
shut() {
  echo "<3>closed: $1; nobody is let in before a restore: strata storage restore" >&2
  [ -e closed ] || echo "$1" | keep closed
}
# four numbers: the beat, and JuiceFS' counters
now() {
  set -- $(printf '%s ${beatKey}\\nSELECT 1\\nMGET ${counterKeys.join(' ')}\\n' "$1" | ask | sed 's/^$/0/; /^OK$/d')
  [ $# = 4 ] || return 1
  for n; do case $n in *[!0-9]*) return 1 ;; esac; done
  echo "$*"
}
# whether the numbers in $2 are at least those in $1, one by one
reaches() {
  set -- $1 $2
  [ "$1" -le "$5" ] && [ "$2" -le "$6" ] && [ "$3" -le "$7" ] && [ "$4" -le "$8" ]
}
case $1 in
  stopped) sizes | keep stopped ;;
  before)
    [ ! -e stopped ] || [ "$(sizes)" = "$(cat stopped)" ] || shut 'its files are not what they were when it stopped'
    rm -f stopped && sync . # or it were back after a loss of power, and wrong
    ;;
  after)
    is=$(now GET) || exit 1
    was=$(cat mark 2>/dev/null || echo 0 0 0 0)
    reaches "$was" "$is" || shut "its counters (beat, ${counterKeys.join(', ')}) went back from $was to $is"
    [ -e closed ] || echo 'CONFIG SET bind "${address} 127.0.0.1"' | ask | grep -qx OK
    ;;
  open)
    is=$(now GET) && reaches "$(cat mark 2>/dev/null || echo 0 0 0 0)" "$is" || exit 1
    echo 'CONFIG SET bind "${address} 127.0.0.1"' | ask | grep -qx OK || exit 1
    rm -f closed
    ;;
  beat)
    while :; do
      if [ ! -e closed ] && is=$(now INCR) && reaches "$(cat mark 2>/dev/null || echo 0 0 0 0)" "$is"; then echo "$is" | keep mark; fi
      sleep 2
    done
    ;;
esac
`;
const markUnit = `# Written by Strata
[Unit]
Description=How far the metadata of the shared file system are, kept outside of them
After=${paths.unit}
BindsTo=${paths.unit}

[Service]
ExecStart=/bin/sh ${paths.guard} beat
UMask=0077
Restart=always
RestartSec=2
`;
/** Lines of the metadata's unit: by root, who alone sees both the data and the mark. */
export const guardLines = `ExecStartPre=+/bin/sh ${paths.guard} before
ExecStartPost=+/bin/sh ${paths.guard} after
ExecStopPost=+/bin/sh ${paths.guard} stopped`;
export const guardFiles = (address: string): WrittenFile[] => [
  { path: paths.guard, content: script(address), mode: 0o600 },
  { path: `${systemdFolder}/${guard.unit}`, content: markUnit },
];
