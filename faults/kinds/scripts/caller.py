"""Calls the scripts for the fault runner, as a caller in another language does: one JSON array a line, in and out.

In:  [script, keys, arguments]    Out: [outcome, document] or {"error": text}
"""

import importlib.util
import json
import pathlib
import sys

root, url = sys.argv[1:]
spec = importlib.util.spec_from_file_location("transition", pathlib.Path(root) / "examples/python/transition.py")
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)

server = example.Server(url)
scripts = {}
for line in sys.stdin:
    name, keys, arguments = json.loads(line)
    if name not in scripts:
        scripts[name] = (pathlib.Path(root) / "dist/lua" / (name + ".lua")).read_bytes()
    try:
        answer = server.call("EVAL", scripts[name], len(keys), *keys, *arguments)
    except example.CallError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
