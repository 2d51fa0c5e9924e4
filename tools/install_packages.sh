#!/bin/sh
# Installs the Debian packages that are missing, and does nothing, quickly, when none is.
#   tools/install_packages.sh build         what `make build` needs
#   tools/install_packages.sh build fleet   what `make run` needs
#   tools/install_packages.sh build test    what `make test` needs
#   tools/install_packages.sh build test sanitize    what `make sanitize` needs
set -eu

build_packages='g++-12 cmake ninja-build pkg-config ca-certificates
  libfmt-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
  libpcre2-dev libcurl4-openssl-dev libssl-dev libsqlite3-dev libzip-dev libboost1.81-dev
  opencl-c-headers ocl-icd-opencl-dev'
# A second kind of chip, made of the processor, and what an engine that is not ours comes with.
fleet_packages='pocl-opencl-icd python3 python3-venv'
# clang-19 and AMD's run-time compiler show that the kernels are CUDA and HIP as well.
test_packages='libgtest-dev libgmock-dev librapidcheck-dev
  etcd-server faketime iproute2 pocl-opencl-icd oclgrind clang-19 libamdhip64-5 mandoc systemd
  python3 python3-jsonschema python3-venv'
# llvm-19 has the symbolizer, which gives reports their lines of source.
sanitize_packages='libclang-rt-19-dev llvm-19'
# The tests of tokenizers and of the server fetch packages with npm, whoever installed it.
command -v npm >/dev/null 2>&1 || test_packages="$test_packages npm"

wanted=''
for set_name in "$@"; do
  case "$set_name" in
    build) wanted="$wanted $build_packages" ;;
    fleet) wanted="$wanted $fleet_packages" ;;
    test) wanted="$wanted $test_packages" ;;
    sanitize) wanted="$wanted $sanitize_packages" ;;
    *)
      echo "install_packages.sh: unknown set '$set_name'; there are build, fleet, test and sanitize" >&2
      exit 2
      ;;
  esac
done

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo 'This system does not use Debian packages. Install the equivalents of:' >&2
  echo $wanted >&2
  echo 'and build with: cmake --preset release -DSWITCHYARD_TESTS=OFF && cmake --build --preset release' >&2
  echo '(-DCMAKE_C_COMPILER=... -DCMAKE_CXX_COMPILER=... where yours are not gcc-12 and g++-12)' >&2
  exit 1
fi

# One call for all: a name that dpkg does not know makes it complain, not stop.
present=$(dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' $wanted 2>/dev/null |
  sed -n 's/^installed \([^:]*\).*$/\1/p' || true)
missing=''
for package in $wanted; do
  case "
$present
" in
    *"
$package
"*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

as_root=''
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "These Debian packages are missing:$missing" >&2
    echo 'Ask an administrator for them, or run as root:' >&2
    echo "  apt-get install -y --no-install-recommends$missing" >&2
    exit 1
  fi
  as_root='sudo'
fi

echo "Installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
if ! { $as_root apt-get -q update &&
       $as_root env DEBIAN_FRONTEND=noninteractive \
         apt-get -q install -y --no-install-recommends $missing; }; then
  echo "The packages could not be installed:$missing" >&2
  echo 'Read what apt-get says above; the network, the rights or the package list may be at fault.' >&2
  exit 1
fi
