import { type Operation, scripts } from "../../src/lua/index.js";
import { type Argument, admin, Calls, type Definition, type Reply } from "./calls.js";

/** Initial clock of a test: well before the server's own. */
const START = Date.UTC(2026, 0, 1);

/** Calls one machine under a clock that only the test moves. The scripts are unchanged except for the reply of TIME. */
export class Clocked extends Calls {
  nowMs = START;

  /** Lets time pass. */
  pass(ms: number): void {
    this.nowMs += ms;
  }

  override run(operation: Operation, id: string, ...args: Argument[]): Promise<Reply> {
    const [seconds, micros] = [Math.floor(this.nowMs / 1000), (this.nowMs % 1000) * 1000];
    const clock = `
local its_redis = redis
local redis = setmetatable({ call = function(command, ...)
  if command == 'TIME' then return { '${seconds}', '${micros}' } end
  return its_redis.call(command, ...)
end }, { __index = its_redis })
`;
    const text = scripts[operation].text.replace("\n", clock);
    const keys = this.keys(id);
    return this.valkey.eval(text, keys.length, ...keys, id, ...args) as Promise<Reply>;
  }
}

/** Applies the definition in a new namespace, where time stands still. */
export async function clocked(definition: Definition): Promise<Clocked> {
  const calls = new Clocked(await admin(), definition.name);
  const [outcome, document] = await calls.apply(definition);
  if (outcome !== "OK") throw new Error(`apply was answered with ${outcome} ${document}`);
  return calls;
}
