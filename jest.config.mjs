// All unit specs in one run; each project keeps its own config for `nx test`.
import { existsSync, readdirSync } from 'node:fs';
const root = import.meta.dirname;
const projects = ['libs', 'apps'].flatMap((d) => readdirSync(`${root}/${d}`).map((n) => `${root}/${d}/${n}`)).filter((p) => existsSync(`${p}/jest.config.mjs`));
// A loaded machine is slow, not wrong: deadlines of tests are generous.
export default { projects, passWithNoTests: true, testTimeout: 60_000 };
