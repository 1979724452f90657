/** Where the node may fetch blobs from and as whom. PEM texts. */
export interface ArtifactAccess {
  addresses: readonly string[]; // https://host:port, tried in order
  tls: { ca: string; cert: string; key: string };
}
export interface LocalHostOptions {
  stateDir: string; // default of the agent: /var/lib/strata
  /** Names durable programs. Without it a durable program runs as a plain child and dies with this process. */
  order?: { orderId: string; attempt: number };
  artifacts?: () => ArtifactAccess;
  log?: (line: string) => void;
}
