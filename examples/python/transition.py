"""Moves one entity to another state, with Python's standard library alone, and survives lost connections.

    latchkey apply && latchkey create a1
    python3 examples/python/transition.py a1 running ACTOR ann REASON "by hand"

Words after the state are the options of lua/README.md. VALKEY_URL, LATCHKEY_NAMESPACE and LATCHKEY_MACHINE are those of
the command line. Prints outcome and document. Exit status: 0 applied (now or by an earlier attempt), 1 rejected,
2 an invalid call, or an unknown outcome: then it prints how to repeat the change so that it takes effect once.
"""

import binascii
import hashlib
import itertools
import json
import os
import pathlib
import random
import shlex
import socket
import sys
import time
import urllib.parse
import uuid

SCRIPT = (pathlib.Path(__file__).resolve().parents[2] / "dist/lua/transition.lua").read_bytes()
TIMEOUT = 5  # seconds for all attempts


class CallError(Exception):
    """The call is invalid, or its outcome is unknown."""


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
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise CallError(rest.decode())
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind != b"$":
            return rest.decode()
        return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2].decode()


class Partition:
    """Calls a machine's scripts in the partition of one entity, and connects again after a lost connection."""

    def __init__(self, url, namespace, machine, entity):
        self.url, self.server, self.entity = url, None, entity
        partitions = int(self.call("HGET", "{%s}:meta" % namespace, "partitions") or 1)
        partition = binascii.crc_hqx(entity.encode(), 0) % partitions  # CRC16/XMODEM
        prefix = "{%s:%d}:%s:" % (namespace, partition, machine)
        self.keys = [prefix + key for key in ("id:" + entity, "log:" + entity, "machine", "index", "due", "events")]

    def call(self, *words):
        try:
            self.server = self.server or Server(self.url)
            return self.server.call(*words)
        except OSError:
            self.server = None
            raise

    def end_of_log(self):
        try:
            facts = self.call("XINFO", "STREAM", self.keys[5])
        except CallError:  # no such key: nothing has happened yet
            return "0-0"
        return dict(zip(facts[::2], facts[1::2]))["last-generated-id"]

    def changed_by(self, op, seen):
        """The document of the change with this idempotency key after a position of the log, or None."""
        for _, (_, document) in self.call("XRANGE", self.keys[5], "(" + seen, "+"):
            change = json.loads(document)
            if change["id"] == self.entity and change.get("op") == op:
                return document

    def transition(self, to, *options):
        """The reply of the script: outcome, document, position."""
        call = ["EVALSHA", hashlib.sha1(SCRIPT).hexdigest(), len(self.keys), *self.keys, self.entity, to, *options]
        try:
            return self.call(*call)
        except CallError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        self.call("SCRIPT", "LOAD", SCRIPT)
        return self.call(*call)


def main(entity, to, *options):
    deadline = time.monotonic() + TIMEOUT
    partition = Partition(
        os.environ.get("VALKEY_URL", "valkey://localhost:6379"),
        os.environ.get("LATCHKEY_NAMESPACE", "latchkey"),
        os.environ.get("LATCHKEY_MACHINE", "agent"),
        entity,
    )
    # The same key and the same position on every attempt.
    if "OP" not in options:
        options += ("OP", uuid.uuid4().hex)
    if "SEEN" not in options:
        options += ("SEEN", partition.end_of_log())
    words = dict(zip(options, options[1:]))
    for attempt in itertools.count(1):
        try:
            outcome, document, _ = partition.transition(to, *options)
            if outcome == "FORGOTTEN":  # the entity cannot tell, but the log may
                document = partition.changed_by(words["OP"], words["SEEN"])
                outcome = "REPLAYED" if document else "FORGOTTEN"
            print(outcome)
            print(document or "")
            return 0 if outcome in ("OK", "REPLAYED") else 1
        except OSError as error:
            if time.monotonic() > deadline:
                again = shlex.join(["python3", sys.argv[0], entity, to, *options])
                raise CallError(f"no answer ({error}); repeat the change, which takes effect once:\n{again}")
            time.sleep(0 if attempt == 1 else random.uniform(0, 0.5))


if __name__ == "__main__":
    try:
        if len(sys.argv) < 3:
            raise CallError("usage: transition.py ID STATE [OPTION...]")
        sys.exit(main(*sys.argv[1:]))
    except (CallError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
