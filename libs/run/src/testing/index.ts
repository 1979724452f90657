export * from './memory-ledger';
export * from './plans';
