export * from './artifact';
export * from './names';
