export * from './check-history';
export * from './memory-ledger';
export * from './plans';
export * from './sim-agent';
export * from './simulation';
export * from './virtual-time';
