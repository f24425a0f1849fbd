import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, test } from "vitest";
import { LIMIT_MS, succeeds } from "../helpers/developer.js";
import { sharedFolder } from "../helpers/folder.js";
import { generate } from "../helpers/generated.js";
import { pack } from "../helpers/packed.js";

const folder = sharedFolder();
let tarball: string;

beforeAll(async () => {
  ({ tarball } = await pack(folder));
}, LIMIT_MS);

/** The tests of a project have no time limit of a few seconds here, because this machine may be slow. */
const UNLIMITED = [`--testTimeout=${LIMIT_MS}`];

/** Packages for the tests of a CommonJS project with other compilers. */
const COMPILERS = {
  ...{ ts54: "npm:typescript@5.4", ts57: "npm:typescript@5.7", ts6: "npm:typescript@6" },
  ...{ "@swc/core": "^1.16.0", "@swc/jest": "^0.2.39" },
};

/** jest can `require` Nest 12, which has ES modules only, from Node 24.9 on. */
const NODE_24 = { "other-node": `npm:node-${process.platform}-${process.arch}@24` };

describe.each([
  ["of Nest 10, with jest 29", { major: 10, kind: "ts" }, {}, UNLIMITED],
  ["of Nest 11, with jest 30", { major: 11, kind: "ts" }, COMPILERS, UNLIMITED],
  ["of Nest 12 as CommonJS, with jest and Node 24", { major: 12, kind: "ts" }, NODE_24, UNLIMITED],
  [
    "of Nest 12 as ES modules, with vitest",
    { major: 12, kind: "ts-esm" },
    {},
    [...UNLIMITED, `--hookTimeout=${LIMIT_MS}`],
  ],
] as const)("a new project %s", (name, generated, more, options) => {
  const project = join(folder, name.replaceAll(/\W+/g, "-"));

  beforeAll(async () => {
    await mkdir(project);
    await generate(project, generated, tarball, more);
  }, LIMIT_MS);

  test(
    "passes its own npm test with a service that uses latchkey",
    async () => {
      await succeeds(project, "npm", "test", "--", ...options);
    },
    LIMIT_MS,
  );

  test(
    "compiles",
    async () => {
      await succeeds(project, process.execPath, "node_modules/typescript/bin/tsc", "--noEmit");
    },
    LIMIT_MS,
  );

  if (generated.major !== 11) return;

  test(
    "passes its tests with ts-jest of TypeScript 5.4, 5.7 and 6, and with SWC",
    async () => {
      const { jest } = JSON.parse(await readFile(join(project, "package.json"), "utf8"));
      const tsconfig = {
        ...{ module: "nodenext", moduleResolution: "nodenext", target: "es2022", esModuleInterop: true },
        ...{ experimentalDecorators: true, emitDecoratorMetadata: true, strict: true, skipLibCheck: true },
        types: ["node", "jest"],
        isolatedModules: false, // with it, ts-jest does not check types
      };
      const swc = {
        jsc: {
          target: "es2022",
          parser: { syntax: "typescript", decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
      };
      const transforms: Readonly<Record<string, unknown>> = {
        ...Object.fromEntries(
          ["ts54", "ts57", "ts6"].map((compiler) => [compiler, ["ts-jest", { compiler, tsconfig }]]),
        ),
        swc: ["@swc/jest", swc],
      };
      const projects = Object.entries(transforms).map(([displayName, transform]) => ({
        ...{ displayName, rootDir: join(project, "src"), testRegex: jest.testRegex },
        ...{ moduleFileExtensions: jest.moduleFileExtensions, testEnvironment: "node" },
        transform: { "^.+\\.(t|j)s$": transform },
      }));
      await writeFile(join(project, "compilers.json"), JSON.stringify({ projects }));
      await succeeds(
        project,
        "node",
        "node_modules/jest/bin/jest.js",
        "--config",
        "compilers.json",
        ...UNLIMITED,
      );
    },
    LIMIT_MS,
  );
});
