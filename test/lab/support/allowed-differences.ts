/** What may differ on a machine after Strata came and went, each with its reason. Lines are `section | thing | value`. */
export const allowed: readonly { what: string; because: string; lines: RegExp }[] = [
  {
    what: "the mode of the agent's folder",
    because: 'in the lab it is a mount point, which the agent made private and nobody can remove; elsewhere it goes',
    lines: /^file \| \/var\/lib\/strata \| d 7[05][05] /,
  },
  {
    what: "dpkg's and apt's own books",
    because: 'a package that came and went leaves another order of fields and an empty list of automatic ones; the packages themselves are compared one by one',
    lines: /^file \| \/var\/lib\/(dpkg\/(status|status-old|available|diversions-old|statoverride-old|triggers\/\w+|lock\S*)|apt\/extended_states) \| f /,
  },
  {
    what: 'the moment of boot at which the network is said to be online',
    because: 'units of packages and of the cluster ask for it, so it was reached; the next boot begins without it',
    lines: /^unit \| (network-online\.target|systemd-networkd-wait-online\.service) \| /,
  },
];
