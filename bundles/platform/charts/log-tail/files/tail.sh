# Follows the log of every container of this node, and writes each line with NAMESPACE/POD/CONTAINER before it.
#   tail.sh SECONDS MOST: looks every SECONDS for containers that came, and follows MOST files at most.
# What is there at the start is followed from its end, what comes later from its beginning. Its own log is left out, or it would feed itself.
every=$1 most=$2 folder=/var/log/containers tails='' batch=0 said=''
trap 'kill $tails 2>/dev/null; exit 0' TERM INT

logs() { ls "$folder" | grep '\.log$' | grep -v "^${OWN}_"; }

# follow FROM FILE...: one `tail` for all of them; it names the file when another one has lines
follow() {
  from=$1 batch=$((batch + 1)) pipe=/tmp/pipe-$batch
  shift
  mkfifo "$pipe"
  # the pipe's name goes when both ends have it open
  { rm "$pipe"; exec awk '
    /^==> .*\.log <==$/ {
      n = split($2, place, "/"); split(place[n], part, "_"); sub(/-[0-9a-f]+\.log$/, "", part[3])
      of = part[2] "/" part[1] "/" part[3] ": "; next
    }
    /^$/ { next }
    { sub(/^[^ ]+ (stdout|stderr) [FP] ?/, ""); print of $0; fflush() }'; } < "$pipe" &
  tail -v -n "$from" -F "$@" > "$pipe" 2> /dev/null &
  tails="$tails $!"
}

cd "$folder" || exit 1
logs | head -n "$most" > /tmp/followed
[ -s /tmp/followed ] && follow 0 $(cat /tmp/followed)
while :; do
  sleep "$every" &
  wait $!
  logs > /tmp/there
  # those that are gone make room
  grep -Fx -f /tmp/there /tmp/followed > /tmp/still; mv /tmp/still /tmp/followed
  new=$(grep -Fxv -f /tmp/followed /tmp/there | head -n $((most - $(wc -l < /tmp/followed))))
  left=$(($(wc -l < /tmp/there) - $(wc -l < /tmp/followed) - $(echo $new | wc -w)))
  [ "$left" -gt 0 ] && [ "$left" != "$said" ] && echo "log-tail: $left logs more than $most are not followed"
  said=$left
  [ -z "$new" ] && continue
  if [ $(echo $tails | wc -w) -ge 16 ]; then # one for all again, from where they are now
    kill $tails
    tails=''
    follow 0 $(cat /tmp/followed)
  fi
  follow +1 $new
  echo "$new" >> /tmp/followed
done
