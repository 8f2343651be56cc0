#!/usr/bin/env bash
# A real S3 server on loopback for tests: Ceph's radosgw over one in-memory OSD; nothing outlives it.
# Usage: s3.sh up DIR PORT   ends when it answers; ports PORT, PORT+1 and PORT+100 to PORT+200 must be free
#        s3.sh down DIR
# Needs Debian's ceph-mon, ceph-osd, radosgw, ceph-common.
set -euo pipefail
dir=$2

down() {
  local name pid
  # the OSD before the monitor, without which it does not end
  for name in rgw osd mon; do
    pid=$(cat "$dir/run/$name.pid" 2>/dev/null) || continue
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$dir/run/$name.pid"
  done
}
if [ "$1" = down ]; then
  down
  exit
fi

port=$3
conf=$dir/ceph.conf
mkdir -p "$dir"/{run,log,mon,osd}
fsid=$(cat /proc/sys/kernel/random/uuid)
cat >"$conf" <<EOF
[global]
fsid = $fsid
mon host = [v1:127.0.0.1:$((port + 1))]
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
run dir = $dir/run
admin socket = $dir/run/\$cluster-\$name.asok
log file = $dir/log/\$name.log
ms bind msgr2 = false
ms bind port min = $((port + 100))
ms bind port max = $((port + 200))
public addr = 127.0.0.1
cluster addr = 127.0.0.1
[mon.a]
mon data = $dir/mon
[osd]
osd data = $dir/osd
osd objectstore = memstore
# it would ask the monitor before it knows which cluster it is of, and end when that refuses
osd class update on start = false
osd crush update on start = false
memstore device bytes = 536870912
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$port
rgw dns name = 127.0.0.1
EOF

trap 'cat "$dir"/log/*.out >&2; down' ERR
start() {
  local name=$1
  shift
  setsid "$@" >"$dir/log/$name.out" 2>&1 &
  echo $! >"$dir/run/$name.pid"
}
monmaptool --create --clobber --addv a "[v1:127.0.0.1:$((port + 1))]" --fsid "$fsid" "$dir/monmap" >/dev/null
ceph-mon --mkfs -i a -c "$conf" --monmap "$dir/monmap" >/dev/null 2>&1
start mon ceph-mon -f -i a -c "$conf"
ceph-osd -i 0 -c "$conf" --mkfs >/dev/null 2>&1 || true
# what is not ready yet refuses
until_done() {
  for _ in $(seq 100); do
    "$@" >/dev/null 2>"$dir/log/again.out" && return
    sleep 0.2
  done
  "$@" >/dev/null
}
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
is_up() { ceph -c "$conf" osd stat -f json | grep -q '"num_up_osds": *1[,}]'; }
until_done timeout 60 ceph -c "$conf" osd new "$(cat "$dir/osd/fsid")"
until_done timeout 60 ceph -c "$conf" osd crush add osd.0 1.0 host=here root=default
start osd ceph-osd -f -i 0 -c "$conf"
until_done is_up
start rgw radosgw -f -n client.rgw -c "$conf"
for _ in $(seq 300); do
  listens && break
  kill -0 "$(cat "$dir/run/rgw.pid")" 2>/dev/null || start rgw radosgw -f -n client.rgw -c "$conf"
  sleep 0.2
done
listens
radosgw-admin -c "$conf" -n client.rgw user create --uid=test --display-name=test \
  --access-key=testkey --secret-key=testsecret123 >/dev/null 2>&1
