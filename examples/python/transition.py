"""Moves one entity to another state, with Python's standard library alone.

    latchkey apply && latchkey create a1
    python3 examples/python/transition.py a1 running ACTOR ann REASON "by hand"

Words after the state are the options of lua/README.md. VALKEY_URL, LATCHKEY_NAMESPACE and LATCHKEY_MACHINE are those of
the command line. Prints outcome and document. Exit status: 0 done (now or before), 1 refused,
2 a wrong call, or no answer: then it says how to repeat the change so that it takes effect once.
"""

import binascii
import hashlib
import os
import pathlib
import shlex
import socket
import sys
import urllib.parse
import uuid

SCRIPT = (pathlib.Path(__file__).resolve().parents[2] / "dist/lua/transition.lua").read_bytes()
TIMEOUT = 5  # seconds for each answer


class CallError(Exception):
    """The server, or this program, could make nothing of a call."""


class Server:
    def __init__(self, url):
        address = urllib.parse.urlsplit(url)
        self.stream = socket.create_connection((address.hostname, address.port or 6379), TIMEOUT).makefile("rwb")
        if address.password:
            user = [urllib.parse.unquote(address.username)] if address.username else []
            self.call("AUTH", *user, urllib.parse.unquote(address.password))

    def call(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.stream.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        self.stream.flush()
        return self.reply()

    def reply(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server hung up")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise CallError(rest.decode())
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind != b"$":
            return rest.decode()
        return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2].decode()


def transition(server, namespace, machine, entity, to, *options):
    """What the script answers: outcome and document."""
    partitions = int(server.call("HGET", "{%s}:meta" % namespace, "partitions") or 1)
    partition = binascii.crc_hqx(entity.encode(), 0) % partitions  # CRC16/XMODEM
    prefix = "{%s:%d}:%s:" % (namespace, partition, machine)
    keys = [prefix + key for key in ("id:" + entity, "log:" + entity, "machine", "index", "due", "events")]
    call = ["EVALSHA", hashlib.sha1(SCRIPT).hexdigest(), len(keys), *keys, entity, to, *options]
    try:
        return server.call(*call)
    except CallError as error:
        if not str(error).startswith("NOSCRIPT"):
            raise
    server.call("SCRIPT", "LOAD", SCRIPT)
    return server.call(*call)


def main(entity, to, *options):
    server = Server(os.environ.get("VALKEY_URL", "valkey://localhost:6379"))
    namespace = os.environ.get("LATCHKEY_NAMESPACE", "latchkey")
    machine = os.environ.get("LATCHKEY_MACHINE", "agent")
    if "OP" not in options:
        options += ("OP", uuid.uuid4().hex)
    seconds, micros = server.call("TIME")
    now = int(seconds) * 1000 + int(micros) // 1000
    repeat = options if "SENT" in options else (*options, "SENT", str(now))
    if "NOTAFTER" not in options:  # a call that is given up can't be done much later
        options += ("NOTAFTER", str(now + TIMEOUT * 1000))
    try:
        outcome, document = transition(server, namespace, machine, entity, to, *options)
    except OSError as error:
        again = shlex.join(["python3", sys.argv[0], entity, to, *repeat])
        raise CallError(f"no answer ({error}): it may have been done. This does it only if it was not:\n{again}")
    print(outcome)
    print(document or "")
    return 0 if outcome in ("OK", "REPLAYED") else 1


if __name__ == "__main__":
    try:
        if len(sys.argv) < 3:
            raise CallError("usage: transition.py ID STATE [OPTION...]")
        sys.exit(main(*sys.argv[1:]))
    except (CallError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
