"""Moves one entity to another state, with Python's standard library alone, and survives a lost reply.

    latchkey apply && latchkey create a1
    python3 examples/python/transition.py a1 running ACTOR ann REASON "by hand"

Words after the state are the options of lua/README.md. The program adds OP, SEEN and NOTAFTER, and retries once if a
reply is lost. VALKEY_URL, LATCHKEY_NAMESPACE and LATCHKEY_MACHINE are those of the command line.
Prints outcome and document. Exit status: 0 applied (now or before), 1 rejected, 2 an invalid call, or no result: then it
prints the command that repeats the change without applying it twice.
"""

import binascii
import hashlib
import json
import os
import pathlib
import shlex
import socket
import sys
import time
import urllib.parse
import uuid

SCRIPT = (pathlib.Path(__file__).resolve().parents[2] / "dist/lua/transition.lua").read_bytes()
TIMEOUT = 5  # seconds: for one reply, and after which the server rejects the change


class CallError(Exception):
    """The call is invalid, or has no result. As an error reply: this attempt did nothing."""


class Server:
    """One connection. It never resends a command."""

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
            raise ConnectionError("connection closed by the server")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise CallError(rest.decode())
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind != b"$":
            return rest.decode()
        return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2].decode()

    def now(self):
        seconds, micros = self.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def script(self, *words):
        try:
            return self.call("EVALSHA", hashlib.sha1(SCRIPT).hexdigest(), *words)
        except CallError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        self.call("SCRIPT", "LOAD", SCRIPT)
        return self.call("EVALSHA", hashlib.sha1(SCRIPT).hexdigest(), *words)


def keys_of(server, namespace, machine, entity):
    """Returns the six keys of an entity script."""
    layout, partitions = server.call("HMGET", "{%s}:meta" % namespace, "layout", "partitions")
    if layout not in (None, "2"):
        raise CallError(f"namespace {namespace} has layout {layout}, this program needs layout 2")
    partition = binascii.crc_hqx(entity.encode(), 0) % int(partitions or 1)  # CRC16/XMODEM
    prefix = "{%s:%d}:%s:" % (namespace, partition, machine)
    return [prefix + key for key in ("id:" + entity, "log:" + entity, "machine", "index", "due", "events")]


def log_of(server, events):
    """Returns what the server knows about an event log."""
    try:
        words = server.call("XINFO", "STREAM", events)
    except CallError as error:
        if "no such key" not in str(error):
            raise
        return {"last-generated-id": "0-0", "entries-added": 0, "length": 0}
    return dict(zip(words[::2], words[1::2]))


def find(server, events, entity, op, seen):
    """Looks an idempotency key up in the event log after `seen`. Returns the document or None."""
    cursor = seen
    while entries := server.call("XRANGE", events, "(" + cursor, "+", "COUNT", 200):
        for cursor, fields in entries:
            document = json.loads(fields[1])
            if document["id"] == entity and document.get("op") == op:
                return fields[1]
    log = log_of(server, events)
    oldest = server.call("XRANGE", events, "-", "+", "COUNT", 1)
    trimmed = int(log["entries-added"]) > int(log["length"]) and (not oldest or after(oldest[0][0], seen))
    if trimmed or after(seen, log["last-generated-id"]):
        raise CallError("the log has lost changes: it cannot be decided whether this change was applied")
    return None


def after(position, other):
    return tuple(map(int, position.split("-"))) > tuple(map(int, other.split("-")))


def transition(url, keys, entity, to, options, op, seen, until, retried):
    """Returns outcome and document, for all attempts together.

    `retried` says that an earlier attempt may have been executed, or may still be executed before `until`.
    """

    def attempt(server):
        try:
            return server.script(6, *keys, entity, to, *options, "OP", op, "SEEN", seen, "NOTAFTER", until)
        except CallError as error:
            if not retried:
                raise
            raise ConnectionError(error) from error  # an error reply says nothing about earlier attempts

    try:
        outcome, document, position = attempt(Server(url))
    except OSError:
        retried = True
        outcome, document, position = attempt(Server(url))
    if outcome == "FORGOTTEN" and not retried:  # the only attempt did nothing
        seen, retried = position, True
        outcome, document, position = attempt(Server(url))
    if not retried or outcome in ("OK", "REPLAYED"):
        return outcome, document
    server = Server(url)
    if outcome == "FORGOTTEN" and (found := find(server, keys[5], entity, op, seen)):
        return "REPLAYED", found
    while (milliseconds := until - server.now()) >= 0:  # an earlier attempt can still be executed
        time.sleep(min(milliseconds + 1, 1000) / 1000)
    again, latest, _ = attempt(server)  # applies nothing: NOTAFTER has passed
    if again == "REPLAYED":
        return again, latest
    if again == "FORGOTTEN" and (found := find(server, keys[5], entity, op, seen)):
        return "REPLAYED", found
    return outcome, document  # rejected; after FORGOTTEN: not applied, start a new change


def main(entity, to, *words):
    url = os.environ.get("VALKEY_URL", "valkey://localhost:6379")
    server = Server(url)
    machine = os.environ.get("LATCHKEY_MACHINE", "agent")
    keys = keys_of(server, os.environ.get("LATCHKEY_NAMESPACE", "latchkey"), machine, entity)
    options, given, rest = [], {}, list(words)
    while rest:
        count = 1 + {"SET": 2, "FORCE": 0, "DRYRUN": 0}.get(rest[0], 1)
        option, rest = rest[:count], rest[count:]
        if option[0] in ("OP", "SEEN"):
            given[option[0]] = option[-1]
        else:
            options += option
    if given and len(given) < 2:
        raise CallError("OP and SEEN need each other")
    op = given.get("OP") or uuid.uuid4().hex
    seen = given.get("SEEN") or log_of(server, keys[5])["last-generated-id"]
    until = server.now() + TIMEOUT * 1000
    try:
        outcome, document = transition(url, keys, entity, to, options, op, seen, until, bool(given))
    except OSError as error:
        again = shlex.join(["python3", sys.argv[0], entity, to, *options, "OP", op, "SEEN", seen])
        raise CallError(f"no result ({error}): the change may have been applied. Repeat it without applying it twice:\n{again}")
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
