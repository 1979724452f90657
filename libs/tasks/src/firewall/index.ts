export { anyCluster, clusterChain, clusterTable, type Hook, type Interest } from './conditions';
export { builtin, wordsOf } from './iptables';
export { type Ask, droppingPlaces, type Firewall, lookAtFirewall, type Place, placeName } from './look';
export { type NftTable, nftTables } from './nft';
