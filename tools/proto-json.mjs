// node proto-json.mjs INCLUDE_DIR out.ts a.proto [b.proto ...] : the resolved descriptor as a TS constant, so a bundled agent needs no .proto file beside it
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
const [, , include, to, ...files] = process.argv;
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(include, target);
const json = root.loadSync(files, { keepCase: false }).resolveAll().toJSON();
writeFileSync(
  to,
  `// generated from ${files.join(' ')}\nimport type { INamespace } from 'protobufjs';\nexport const descriptor: INamespace = ${JSON.stringify(json)} as INamespace;\n`,
);
