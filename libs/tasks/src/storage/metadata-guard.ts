import { metadataPort } from '@strata/model';
import type { WrittenFile } from '../orchestration/written-files';
import { guardPaths as guard, metadataPaths as paths, systemdFolder } from './storage-paths';

/** Counts up in the metadata's database 0 (JuiceFS has 1), and outside of it: a copy that is older is known by it, whatever else it holds. */
export const beatKey = 'strata-beat';
/** In database 0: the address of the replica without which no write is answered, and when that was so last. A copy that does not name itself there may lack anything. */
export const pairedKey = 'strata-paired';
/** JuiceFS' own: what was given out once must never be given out again. */
export const counterKeys = ['nextchunk', 'nextinode', 'nextsession'] as const;
/** Who may administer the metadata. */
export const adminUser = 'strata-admin';
export const adminText = (password: string): string => `REDISCLI_AUTH=${password}\n`;
/** As whom the two copies ask and follow each other. */
export const peerUser = 'strata-replica';
export const peerText = (password: string): string => `PEER_AUTH=${password}\n`;

/**
 * Metadata that went back must not be used by anybody: two nodes would get the same slice ids, and each would see the other's bytes in its own files.
 * So Redis starts with the network closed (`bind 127.0.0.1`). It is opened when its files are what they were when it stopped, and when it holds all that
 * was counted outside of it. Else it stays closed until a restore (`storage.load`), and says why in its journal and in `closed`.
 *
 * Where there are two copies, a primary asks the other one before it opens, and now and then afterwards. One that was taken over from finds a primary
 * there, and stays closed; one that cannot ask waits. It answers writes only while the replica has them (`min-replicas-to-write`), so a primary that is
 * cut off from its replica stops writing by itself. `alone`: the replica was never in step yet, so nothing can have been taken over by it.
 */
const script = (address: string, peer: string): string => `#!/bin/sh
# Written by Strata: lets nobody into metadata that are older than they were
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 077
own=${address}
peer=${peer}
. ${paths.admin}
export REDISCLI_AUTH
[ -z "$peer" ] || . ${paths.peer}
mkdir -p ${guard.folder}
cd ${guard.folder} || exit 1
keep() { cat >"$1.part" && sync "$1.part" && mv -f "$1.part" "$1" && sync .; }
ask() { timeout 20 redis-cli --no-auth-warning --tls --cacert ${paths.ca} -h 127.0.0.1 -p ${metadataPort} --user ${adminUser}; }
sizes() { (cd ${paths.data} 2>/dev/null && stat -c '%n %s' -- appendonly.aof appendonlydir/* 2>/dev/null); }
replica() { [ "$(cat role 2>/dev/null)" = replica ]; }
shut() {
  replica && { echo "<4>$1: it takes all from $peer anew" >&2; return 1; }
  echo "<3>closed: $1; nobody is let in before a restore: strata storage restore" >&2
  [ -e closed ] || echo "$1" | keep closed
  return 1
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
# what the other copy says of itself: \`master OFFSET …\`, or \`slave OF PORT STATE OFFSET BEAT\`; nothing where it does not answer
other() {
  printf 'ROLE\\nGET ${beatKey}\\n' | REDISCLI_AUTH=$PEER_AUTH timeout 5 redis-cli --no-auth-warning --tls --cacert ${paths.ca} -h "$peer" -p ${metadataPort} --user ${peerUser} 2>/dev/null
}
# whether these metadata may be the ones in use, as far as the other copy knows
allowed() {
  [ -n "$peer" ] || return 0
  set -- $(other)
  case $1 in
    master)
      shut "the metadata on $peer are in use, these are not any more (strata apply makes them the replica)"
      return 1
      ;;
    slave)
      if [ "$2" = "$own" ]; then
        case $6 in '' | *[!0-9]*) ;; *)
          have=$(now GET) || return 1
          [ "$6" -le "\${have%% *}" ] || shut "the replica on $peer has counted to $6, and these to \${have%% *} (strata storage failover takes those)" || return 1
          ;;
        esac
        return 0
      fi
      say="$peer follows $2, not this machine"
      ;;
    *)
      [ ! -e alone ] || return 0
      say="their replica on $peer does not answer, and may have been taken over"
      ;;
  esac
  [ "$(cat waits 2>/dev/null)" = "$say" ] || echo "<4>not open yet: $say" >&2
  echo "$say" | keep waits
  return 1
}
# opens to the network; with a replica that is in step no write is answered that it may not have
letin() {
  need=0
  [ -z "$peer" ] || [ -e alone ] || need=1
  [ "$(printf 'CONFIG SET min-replicas-to-write %s\\nCONFIG SET bind "%s 127.0.0.1"\\n' $need "$own" | ask | grep -cx OK)" = 2 ]
}
opened() { [ ! -e closed ] && allowed && letin && rm -f waits; }
credentials() { [ -z "$peer" ] || printf 'CONFIG SET masteruser ${peerUser}\\nCONFIG SET masterauth %s\\n' "$PEER_AUTH" | ask >/dev/null; }
follow() {
  credentials
  [ "$(printf 'REPLICAOF %s ${metadataPort}\\nCONFIG SET bind "%s 127.0.0.1"\\n' "$peer" "$own" | ask | grep -c '^OK')" = 2 ]
}
# a primary and its replica: in step from here on? taken over meanwhile?
paired() {
  if [ -e alone ]; then
    echo 'INFO replication' | ask | grep -q 'state=online' || return
    rm -f alone && sync . && letin || return
  fi
  turns=$((turns + 1))
  [ $((turns % 5)) = 1 ] || return
  printf 'SET ${pairedKey} "%s %s"\\n' "$peer" "$(date +%s)" | ask >/dev/null
  set -- $(other)
  [ "$1" != master ] || shut "the metadata on $peer are in use, these are not any more (strata apply makes them the replica)" || replica ||
    printf 'CONFIG SET bind 127.0.0.1\\nCLIENT KILL TYPE normal SKIPME yes\\n' | ask >/dev/null
}
case $1 in
  stopped) sizes | keep stopped ;;
  before)
    [ ! -e stopped ] || [ "$(sizes)" = "$(cat stopped)" ] || shut 'its files are not what they were when it stopped'
    rm -f stopped && sync . # or it were back after a loss of power, and wrong
    ;;
  after)
    is=$(now GET) || exit 1
    if replica; then
      follow
      exit
    fi
    credentials
    was=$(cat mark 2>/dev/null || echo 0 0 0 0)
    reaches "$was" "$is" || shut "its counters (beat, ${counterKeys.join(', ')}) went back from $was to $is"
    opened || [ -e closed ] || [ -e waits ]
    ;;
  open)
    is=$(now GET) && reaches "$(cat mark 2>/dev/null || echo 0 0 0 0)" "$is" || exit 1
    letin || exit 1
    rm -f closed waits
    ;;
  follow) replica && follow ;;
  beat)
    turns=0
    while :; do
      if replica; then
        if is=$(now GET) && reaches "$(cat mark 2>/dev/null || echo 0 0 0 0)" "$is"; then echo "$is" | keep mark; fi
      elif [ -e waits ]; then opened
      elif [ ! -e closed ]; then
        if is=$(now INCR) && reaches "$(cat mark 2>/dev/null || echo 0 0 0 0)" "$is"; then echo "$is" | keep mark; fi
        [ -z "$peer" ] || paired
      fi
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
export const guardFiles = (address: string, peer = ''): WrittenFile[] => [
  { path: paths.guard, content: script(address, peer), mode: 0o600 },
  { path: `${systemdFolder}/${guard.unit}`, content: markUnit },
];
