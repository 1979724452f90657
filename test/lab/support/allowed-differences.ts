/** What may differ on a machine after Strata came and went, each with its reason. Lines are `section | thing | value`. */
export const allowed: readonly { what: string; because: string; lines: RegExp }[] = [
  {
    what: "dpkg's own books",
    because: 'a package that came and went leaves another order of fields; the packages themselves are compared one by one',
    lines: /^file \| \/var\/lib\/(dpkg\/(status|status-old|available|diversions-old|statoverride-old|triggers\/\w+|lock\S*)) \| f /,
  },
  {
    what: 'a newer version of a library that a package of ours came to need',
    because: 'openssl, which ca-certificates needs, wants the libssl3 of the same update; apt never goes back by itself, and the step says so in its log',
    lines: /^(file \| \/usr\/(lib\/x86_64-linux-gnu\/lib(crypto|ssl)\.so\.3|share\/doc\/libssl3\/changelog\S*) \| f |package \| libssl3 \| )/,
  },
  {
    what: 'the copies that the programs for accounts keep of their files',
    because: 'a package brought an account and took it back (redis-tools does); the accounts themselves are compared one by one',
    lines: /^(file|content) \| \/etc\/(passwd|shadow|group|gshadow)- \| /,
  },
  {
    what: 'the key of TCP fast open',
    because: 'the kernel makes one up for the first program that listens with it (MinIO does); it ends with the boot',
    lines: /^sysctl \| net\/ipv4\/tcp_fastopen_key \| /,
  },
  {
    what: 'the moment of boot at which the network is said to be online',
    because: 'units of packages and of the cluster ask for it, so it was reached; the next boot begins without it',
    lines: /^unit \| (network-online\.target|systemd-networkd-wait-online\.service) \| /,
  },
];
