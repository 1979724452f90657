/** Databases that somebody else runs, for specs. */
export { OutsidePostgres } from './outside-postgres';
export { OutsideRedis } from './outside-redis';
