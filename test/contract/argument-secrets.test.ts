import { expect, it } from "vitest";
import { type ConnectOptions, ContractError, connect } from "../../src/index.js";
import { agents, rejectionOf } from "../helpers/client.js";
import { allTextsOf, expectNoSecrets } from "../helpers/secrets.js";

// Passes invalid types to the compiler, as JavaScript can.
const any = (value: unknown) => value as never;
const SECRET = "topsecret-48151623";

it.each<[given: string, options: unknown, message: string]>([
  ["a URL", `valkey://ann:${SECRET}@h`, ", not text"],
  ["a list", [SECRET], ", not an array"],
  [
    "a URL object as url",
    { url: new URL(`valkey://ann:${SECRET}@h`) },
    "url must be text, not an object; write url.href for a URL object",
  ],
  ["a list as password", { password: [SECRET] }, "password must be text, not an array"],
  ["a number as password", { password: 48151623 }, "password must be text, not a number"],
  ["an object as username", { username: { name: SECRET } }, "username must be text, not an object"],
  ["text as tls", { tls: SECRET }, "tls must be an object, not text"],
  ["a list as retry", { retry: [SECRET] }, "options"],
  ["text as sentinel", { sentinel: SECRET }, "sentinel must be an object, not text"],
  ["an object as actor", { actor: { password: SECRET } }, "not an object"],
])("the error of connect that gets %s names its kind only", async (_, options, message) => {
  const error = await rejectionOf(ContractError, connect(options as ConnectOptions));
  expect(error.code).toBe("BADARG");
  if (message !== "options") expect(error.message).toContain(message);
  expectNoSecrets(allTextsOf(error), [SECRET, "48151623"]);
});

it("the error of a change with an invalid argument contains no value of a field", async () => {
  const list = await agents();
  await list.create("x");
  const calls = [
    () => list.create("y", any([SECRET])),
    () => list.create("y", any(SECRET)),
    () => list.create(any({ id: "y", token: SECRET })),
    () => list.create(any([SECRET])),
    () => list.patch("x", { set: any(SECRET) }),
    () => list.patch("x", { set: any([SECRET]) }),
    () => list.patch("x", { set: { n: 1 }, reason: any({ text: SECRET }) }),
    () => list.patch("x", { set: { n: 1 }, actor: any([SECRET]) }),
    () => list.patch("x", { set: { n: 1 }, ifVersion: any({ token: SECRET }) }),
    () => list.patch("x", { set: { n: 1 }, ifState: any([SECRET]) }),
    () => list.patch("x", { set: { n: 1 }, timeout: any({ token: SECRET }) }),
    () => list.transition("x", any({ token: SECRET })),
    () => list.restore("z", "running", { version: 1, fields: any(SECRET) }),
    () => list.waitFor("x", any({ token: SECRET })),
    () => list.subscribe(any({ token: SECRET })),
  ];
  for (const call of calls) {
    const error = await rejectionOf(ContractError, call());
    expect(error.code).toBe("BADARG");
    expectNoSecrets(allTextsOf(error), [SECRET]);
  }
  expect(await list.get("x")).toMatchObject({ version: 1 });
  expect(await list.get("y")).toBeNull();
});
