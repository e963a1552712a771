# Process 1 of a simulated machine, in mount, process and network namespaces of its own (see machine.ts): lays out the root
# filesystem, moves into it, and waits for the machine's init, whose exit code is its own.
# Arguments: root and upper folder, application, node, runtime folder, the volume's folder and its path (both may be empty),
# and the host names that lead out (may be empty).
set -eu
root=$1 upper=$2 app=$3 node=$4 runtime=$5 volume=$6 mountpoint=$7 names=$8
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount --make-rprivate /
ip link set lo up

mkdir -p "$root"
mount --bind "$root" "$root"
cd "$root"
mkdir -p proc dev tmp run root app .fly .old
chmod 1777 tmp
for name in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then
    [ -L "$name" ] || cp -P "/$name" "$name"
  elif [ -d "/$name" ]; then
    mkdir -p "$name"
    mount --rbind -o ro "/$name" "$name"
  fi
done
# The image is this computer's own system; what the machine writes stays in its own folder.
for name in usr etc var; do
  mkdir -p "$name" "$upper/$name" "$upper/work-$name"
  mount -t overlay overlay -o "lowerdir=/$name,upperdir=$upper/$name,workdir=$upper/work-$name" "$name"
done
mkdir -p usr/local/bin
[ -e usr/local/bin/node ] || : >usr/local/bin/node
mount --bind "$node" usr/local/bin/node
mkdir -p "$upper/app" "$upper/work-app"
mount -t overlay overlay -o "lowerdir=$app,upperdir=$upper/app,workdir=$upper/work-app" app
mount --bind "$runtime" .fly
if [ -n "$volume" ]; then
  mkdir -p ".$mountpoint"
  mount --bind "$volume" ".$mountpoint"
fi
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$names" >etc/hosts
# The image has Chromium's system packages, as OpenClaw's own -browser images do: there is nothing to prepare.
mkdir -p var/lib/moorage/prepare
: >var/lib/moorage/prepare/done

mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
for name in null zero full random urandom tty; do
  : >"dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr

pivot_root . .old
cd /
umount -l /.old
rmdir /.old
export PATH HOME=/root
# This shell stays as process 1 and reaps what others leave behind.
node --no-warnings /.fly/init.mts &
wait "$!"
