import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prismaDirectory, schemaDiff } from './schema-engine';

/** `nx run @strata/store:migration --name=add-something`: writes the SQL between the committed schema and the one on disk. */
async function main(name: string | undefined): Promise<void> {
  if (!name || !/^[a-z0-9-]+$/.test(name))
    throw new Error('name the migration with letters, digits and "-": nx run @strata/store:migration --name=add-something');
  const directory = prismaDirectory();
  const committed = execFileSync('git', ['show', 'HEAD:prisma/schema.prisma'], { cwd: directory, encoding: 'utf8', timeout: 10_000 });
  const sql = await schemaDiff(committed, readFileSync(join(directory, 'schema.prisma'), 'utf8'));
  const folder = join(directory, 'migrations', `${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}_${name.replaceAll('-', '_')}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'migration.sql'), sql);
  console.log(`${folder}/migration.sql: read it, add what Prisma cannot say (triggers, partial indexes), commit it with the schema`);
}
main(process.argv[2]).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
