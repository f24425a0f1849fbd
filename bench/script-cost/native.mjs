// Makes the yardstick of an operation: a script that issues the native commands of the operation, and nothing else.
// They are not listed here but taken down from the operation itself, at work on a real entity.

const RECORDER = `#!lua
local recorded, server_api = {}, redis
local redis = setmetatable({ call = function(...)
  local command = { ... }
  for i, word in ipairs(command) do
    command[i] = type(word) == 'number' and string.format('%.17g', word) or word
  end
  recorded[#recorded + 1] = command
  return server_api.call(...)
end }, { __index = server_api })
local function operation()
`;

/** Runs a script once, for real, and returns its reply and the commands it issued, each as a list of texts. */
export async function record(client, text, keys, args) {
  const recorder = `${text.replace(/^#!lua.*\n/, RECORDER)}\nend\nlocal reply = operation()\nreturn { reply, recorded }`;
  const [reply, commands] = await client.eval(recorder, keys.length, ...keys, ...args);
  return { head: /^#!lua.*\n/.exec(text)[0], reply, commands };
}

/** A script of those commands with constant arguments, but for the keys and the id (ARGV[1]), and the same reply. */
export function nativeScript({ head, reply, commands }, keys, id) {
  const argument = (word, place, [command]) => {
    if (command === "XADD" && place === 5) return "'*'"; // a position can be taken once
    const key = keys.indexOf(word);
    if (key >= 0) return `KEYS[${key + 1}]`;
    return word === id ? "ARGV[1]" : constant(word);
  };
  const calls = commands.map((command) => `call(${command.map(argument).join(", ")})`);
  return `${head}local call = redis.call\n${calls.join("\n")}\nreturn { ${reply.map(constant).join(", ")} }`;
}

function constant(text) {
  if (text === null) return "false";
  const escaped = text.replace(/[^ !#-&(-[\]-~]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `\\${String(byte).padStart(3, "0")}`).join(""),
  );
  return `'${escaped}'`;
}
