import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab, type LabOptions, type SpecOptions } from './lab';
import { type ServerOptions, TestServer } from './server';

/** One control server and one lab that belong together, and that go together. */
export class World {
  private constructor(
    private current: TestServer,
    readonly lab: Lab,
  ) {}
  get server(): TestServer {
    return this.current;
  }

  static async make(lab: LabOptions, server: ServerOptions = {}): Promise<World> {
    const both = await Promise.allSettled([TestServer.start(server), Lab.up(lab)]);
    const [s, l] = both;
    if (s.status === 'fulfilled' && l.status === 'fulfilled') return new World(s.value, l.value);
    for (const made of both) if (made.status === 'fulfilled') await made.value.dispose();
    throw new AggregateError(both.filter((r) => r.status === 'rejected').map((r) => r.reason as unknown), 'neither server nor lab stays: one of them did not start'); // prettier-ignore
  }
  /** Moves all that the server is to another directory, and starts it there. */
  async moveServer(): Promise<void> {
    this.current = await this.current.moved();
  }
  /** The cluster's name: the lab's. */
  get cluster(): string {
    return this.lab.name;
  }
  /** Writes the lab's spec into the test's directory. Gives its path. `edit` may change the text. */
  async specFile(options: SpecOptions = {}, edit: (text: string) => string = (text) => text): Promise<string> {
    const file = join(this.server.dir, 'user', 'cluster.yaml');
    mkdirSync(join(this.server.dir, 'user'), { recursive: true, mode: 0o700 });
    writeFileSync(file, edit(await this.lab.spec(options)), { mode: 0o600 });
    return file;
  }
  async dispose(): Promise<void> {
    const ends = await Promise.allSettled([this.lab.dispose(), this.server.dispose()]);
    const errors = ends.flatMap((e) => (e.status === 'rejected' ? [e.reason as unknown] : []));
    if (errors.length > 0)
      throw new AggregateError(errors, `something of lab ${this.lab.name} or ${this.server.dir} is left: ${errors.map(String).join('; ')}`);
  }
}
