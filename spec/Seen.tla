-------------------------------- MODULE Seen --------------------------------
(* The rules by which a change with an idempotency key takes effect at most once.

   One client makes one change X, of the kind Kind, to one entity id. It may send several attempts, and the network or a
   client library may deliver each attempt several times, at any time. Others change, remove, create, export and restore
   the same entity. They remove other entities, and the oldest tombstones are trimmed. The server's clock may be set back,
   and failovers may lose the newest changes.

   A position is a number here: milliseconds * PerMs + sequence. Position 0 is `0-0`, the position before all. *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  Kind,         \* what X does: "create", "move", "remove" or "restore"
  Remembered,   \* how many changes the log of an entity keeps; 32 in the scripts
  Batch,        \* how many changes leave that log at once; 8 in the scripts
  PerMs,        \* positions per millisecond
  Exact,        \* a tombstone can hold sequences below this number; 1024 in the scripts
  Window,       \* milliseconds from the sending of an attempt to its NOTAFTER
  MaxTime,      \* the clock shows 1..MaxTime
  MaxAttempts,  \* attempts of the client
  MaxOthers,    \* changes of others
  MaxBacks,     \* how often the clock is set back
  MaxLosses,    \* failovers that lose the newest changes
  MaxRestores,  \* restores by others
  OthersKeys,   \* whether changes of others have idempotency keys: a set of truth values
  Copies,       \* TRUE: an attempt may be delivered more than once
  Resend        \* TRUE: after FORGOTTEN, the client sends its only attempt again, with the end of the log as SEEN

VARIABLES
  time,      \* the server's clock, in milliseconds
  server,    \* what the server stores, and what a failover can lose
  replica,   \* an earlier value of `server`, to which a failover returns
  export,    \* what an export of the entity contains
  client,    \* what the client knows of X
  flight,    \* attempts that can still be delivered
  spent      \* how often the limited steps have happened

vars == <<time, server, replica, export, client, flight, spent>>

Max(a, b) == IF a > b THEN a ELSE b

-----------------------------------------------------------------------------
(* What is stored. `born`, `prev` and `trimmed` are not stored by the scripts: they are here to compare `forgot` with the
   rule of the design. *)

Absent == [exists |-> FALSE, state |-> 0, log |-> <<>>, forgot |-> 0, born |-> 0, prev |-> 0, trimmed |-> 0]

Empty == [
  end |-> 0,          \* the position of the newest change in the event log
  entity |-> Absent,
  tombstone |-> 0,    \* the position of the removal of this id; 0 if there is none, or it was trimmed
  floor |-> 0,        \* the position of the newest tombstone that was trimmed
  effects |-> {}]     \* the positions at which X took effect

NoAnswer == [outcome |-> "none", end |-> 0, isFinal |-> FALSE]
NoExport == [taken |-> FALSE, state |-> 0, end |-> 0, effects |-> {}]

Init ==
  /\ time = 1
  /\ server = Empty
  /\ replica = Empty
  /\ export = NoExport
  /\ client = [seen |-> 0, sent |-> 0, open |-> 0, answer |-> NoAnswer]
  /\ flight = {}
  /\ spent = [others |-> 0, backs |-> 0, losses |-> 0, restores |-> 0]

-----------------------------------------------------------------------------
(* Positions. *)

\* The server assigns an id from its clock, or the one after the end of the log.
NextPosition == Max(time * PerMs, server.end + 1)

\* A tombstone cannot hold every position. A removal that needs another one moves the end of the log up.
RemovalPosition ==
  IF NextPosition % PerMs < Exact THEN NextPosition ELSE (NextPosition \div PerMs + 1) * PerMs

\* The end of the previous life of this id, as far as it is known.
PreviousEnd == IF server.tombstone > 0 THEN server.tombstone ELSE server.floor

-----------------------------------------------------------------------------
(* Changes. Each is the server's content after the change. The parameter key is the idempotency key: "X" for the change X,
   "other" or "none" for the changes of others. *)

Entry(key, at) == [key |-> key, at |-> at]

Create(key) ==
  LET at == NextPosition IN
  [server EXCEPT
    !.end = at,
    !.tombstone = 0,
    !.entity = [
      exists |-> TRUE, state |-> 0, log |-> <<Entry(key, at)>>,
      forgot |-> PreviousEnd,
      born |-> at, prev |-> PreviousEnd, trimmed |-> 0]]

\* The oldest changes leave the log when there are Batch too many. Of those with a key, the newest position is the newest
\* that the entity has forgotten.
Move(key) ==
  LET at == NextPosition
      log == Append(server.entity.log, Entry(key, at))
      excess == Len(log) - Remembered
      count == IF excess >= Batch THEN excess ELSE 0
      keyed == {log[i].at : i \in {j \in 1..count : log[j].key # "none"}}
      newest == CHOOSE p \in keyed : \A other \in keyed : other <= p
  IN
  [server EXCEPT
    !.end = at,
    !.entity.state = 1 - @,
    !.entity.log = SubSeq(log, count + 1, Len(log)),
    !.entity.forgot = IF keyed # {} THEN newest ELSE @,
    !.entity.trimmed = IF keyed # {} THEN newest ELSE @]

Remove == [server EXCEPT !.end = RemovalPosition, !.entity = Absent, !.tombstone = RemovalPosition]

\* The operations before the export are unknown to the entity: it has forgotten everything up to its own position.
Restore(key, seen) ==
  LET at == Max(NextPosition, seen + 1) IN
  [server EXCEPT
    !.end = at,
    !.tombstone = 0,
    !.effects = @ \cup export.effects,
    !.entity = [
      exists |-> TRUE, state |-> export.state, log |-> <<Entry(key, at)>>,
      forgot |-> at,
      born |-> at, prev |-> at, trimmed |-> 0]]

-----------------------------------------------------------------------------
(* Judgement of an attempt. *)

Replayed == \E i \in 1..Len(server.entity.log) : server.entity.log[i].key = "X"

\* The log lost what the caller had seen. Otherwise the next position would not be greater than SEEN.
\* If the clock is past SEEN, then the next position is greater than SEEN anyway, and the end of the log is not read.
IsAhead(seen) == Kind # "restore" /\ seen \div PerMs >= time /\ seen > server.end

Forgotten(seen) ==
  \/ IsAhead(seen)
  \/ server.entity.exists /\ server.entity.forgot > seen
  \/ ~server.entity.exists /\ PreviousEnd > seen

\* The judgement if the memory of earlier changes does not decide.
Judgement(attempt) ==
  CASE time > attempt.notAfter                               -> "EXPIRED"
    [] Kind \in {"move", "remove"} /\ ~server.entity.exists  -> "NOTFOUND"
    [] Kind \in {"create", "restore"} /\ server.entity.exists -> "EXISTS"
    [] Kind = "move" /\ server.entity.state = 1              -> "ILLEGAL"
    [] OTHER                                                 -> "OK"

Outcome(attempt) ==
  CASE Replayed                -> "REPLAYED"
    [] Forgotten(attempt.seen) -> "FORGOTTEN"
    [] OTHER                   -> Judgement(attempt)

Rejections == {"EXPIRED", "NOTFOUND", "EXISTS", "ILLEGAL"}

Change(seen) ==
  CASE Kind = "create"  -> Create("X")
    [] Kind = "move"    -> Move("X")
    [] Kind = "remove"  -> Remove
    [] Kind = "restore" -> Restore("X", seen)

-----------------------------------------------------------------------------
(* Steps of the client. *)

\* Before its first attempt, the client learns a position: the end of the log, now. It may use an old one.
Look ==
  /\ client.sent = 0
  /\ client' = [client EXCEPT !.seen = server.end]
  /\ UNCHANGED <<time, server, replica, export, flight, spent>>

\* SEEN of a restore is not less than the end of the log that was exported.
Seen == IF Kind = "restore" THEN Max(client.seen, export.end) ELSE client.seen

Dispatch(seen, open) ==
  LET number == client.sent + 1 IN
  /\ client.sent < MaxAttempts
  /\ client' = [client EXCEPT !.seen = seen, !.sent = number, !.open = open, !.answer = NoAnswer]
  /\ flight' = flight \cup {[number |-> number, seen |-> seen, notAfter |-> time + Window]}
  /\ UNCHANGED <<time, server, replica, export, spent>>

\* All attempts carry the same SEEN. The client does not wait before it retries. It asks again after a rejection that is
\* not final.
Send ==
  /\ client.answer.outcome = "none" \/ (client.answer.outcome \in Rejections /\ ~client.answer.isFinal)
  /\ Kind = "restore" => export.taken
  /\ Dispatch(Seen, client.open + 1)

\* FORGOTTEN to the only attempt, which cannot be delivered again: nothing was done.
SendAgain ==
  /\ Resend /\ ~Copies
  /\ client.answer.outcome = "FORGOTTEN" /\ client.open = 1
  /\ Dispatch(client.answer.end, 1)

-----------------------------------------------------------------------------
(* Steps of the network. The answer of the newest attempt may reach the client; other answers are lost. *)

\* A rejection is final if it was judged when NOTAFTER had passed for every attempt that can still be delivered.
\* To wait after the judgement is not enough: an attempt may be executed while the client waits.
IsFinal(outcome, remaining) == outcome \in Rejections /\ \A attempt \in remaining : attempt.notAfter < time

Deliver(attempt) ==
  LET outcome == Outcome(attempt)
      after == Change(attempt.seen)
  IN
  /\ \/ flight' = flight \ {attempt}
     \/ Copies /\ UNCHANGED flight
  /\ server' = IF outcome = "OK" THEN [after EXCEPT !.effects = @ \cup {after.end}] ELSE server
  /\ \/ UNCHANGED client
     \/ /\ attempt.number = client.sent /\ client.answer.outcome = "none"
        /\ client' = [client EXCEPT !.answer = [
             outcome |-> outcome,
             end |-> IF outcome = "FORGOTTEN" THEN server.end ELSE 0,
             isFinal |-> IsFinal(outcome, flight')]]
  /\ UNCHANGED <<time, replica, export, spent>>

-----------------------------------------------------------------------------
(* Steps of others. *)

Trim(floor) == [server EXCEPT !.floor = floor, !.tombstone = IF @ > floor THEN @ ELSE 0]

KeyOf(hasKey) == IF hasKey THEN "other" ELSE "none"

Others ==
  /\ spent.others < MaxOthers
  /\ spent' = [spent EXCEPT !.others = @ + 1]
  /\ \/ ~server.entity.exists /\ \E hasKey \in OthersKeys : server' = Create(KeyOf(hasKey))
     \/ server.entity.exists /\ \E hasKey \in OthersKeys : server' = Move(KeyOf(hasKey))
     \/ server.entity.exists /\ server' = Remove
     \* Another entity is removed.
     \/ server' = [server EXCEPT !.end = RemovalPosition]
     \* Tombstones are trimmed, oldest first: up to the one of this id, or all.
     \/ server.tombstone > 0 /\ server' = Trim(server.tombstone)
     \/ server.floor < server.end /\ server' = Trim(server.end)
  /\ UNCHANGED <<time, replica, export, client, flight>>

\* A new version of the machine replaces what is stored of it, and keeps the floor.
Apply ==
  /\ server' = [server EXCEPT !.floor = @]
  /\ UNCHANGED <<time, replica, export, client, flight, spent>>

Export ==
  /\ MaxRestores > 0 \/ Kind = "restore"
  /\ ~export.taken /\ server.entity.exists
  /\ export' = [taken |-> TRUE, state |-> server.entity.state, end |-> server.end, effects |-> server.effects]
  /\ UNCHANGED <<time, server, replica, client, flight, spent>>

\* If X took effect after a failover and also before the export, then restoring joins two histories. No rule can prevent
\* that, and it is left out.
RestoreByOthers ==
  /\ spent.restores < MaxRestores
  /\ export.taken /\ ~server.entity.exists
  /\ server.effects \subseteq export.effects \/ export.effects \subseteq server.effects
  /\ server' = Restore("other", Max(export.end, server.end))
  /\ spent' = [spent EXCEPT !.restores = @ + 1]
  /\ UNCHANGED <<time, replica, export, client, flight>>

-----------------------------------------------------------------------------
(* Steps of clocks and failovers. *)

Tick ==
  /\ time < MaxTime
  /\ time' = time + 1
  /\ UNCHANGED <<server, replica, export, client, flight, spent>>

\* A final rejection is final unless the clock is set back after it.
SetBack ==
  /\ spent.backs < MaxBacks /\ ~client.answer.isFinal
  /\ \E earlier \in 1..(time - 1) : time' = earlier
  /\ spent' = [spent EXCEPT !.backs = @ + 1]
  /\ UNCHANGED <<server, replica, export, client, flight>>

Replicate ==
  /\ spent.losses < MaxLosses
  /\ replica' = server
  /\ UNCHANGED <<time, server, export, client, flight, spent>>

FailOver ==
  /\ spent.losses < MaxLosses
  /\ server' = replica
  /\ spent' = [spent EXCEPT !.losses = @ + 1]
  /\ UNCHANGED <<time, replica, export, client, flight>>

-----------------------------------------------------------------------------

Next ==
  \/ Look \/ Send \/ SendAgain
  \/ \E attempt \in flight : Deliver(attempt)
  \/ Others \/ Apply \/ Export \/ RestoreByOthers
  \/ Tick \/ SetBack \/ Replicate \/ FailOver

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* What must hold in every state. *)

AtMostOnce == Cardinality(server.effects) <= 1

\* Every outcome except FORGOTTEN answers for all attempts that were executed before.
Answers ==
  \A attempt \in flight :
    /\ Outcome(attempt) \in Rejections => server.effects = {}
    /\ Outcome(attempt) = "REPLAYED" => server.effects # {}

\* X is found in the event log by a reader that starts at SEEN.
FoundFromSeen == \A at \in server.effects : at > client.seen

\* After a final rejection, no attempt takes effect. But an export may contain what a failover lost, and restore it.
Final == client.answer.isFinal => server.effects \subseteq export.effects

\* An accepted change is there, unless a failover lost it.
Accepted == (client.answer.outcome \in {"OK", "REPLAYED"} /\ spent.losses = 0) => server.effects # {}

\* A caller that knows the end of the log is not rejected as FORGOTTEN. For a restore, the end of the exported log counts too.
NotInVain == ~Forgotten(IF Kind = "restore" THEN Max(export.end, server.end) ELSE server.end)

\* The rule of the design, which names `born`, `prev` and the positions of changes that the entity has forgotten.
DesignForgets(seen) ==
  \/ server.entity.trimmed > seen
  \/ server.entity.born > seen /\ server.entity.prev > seen

\* One stored position, `forgot`, decides like the rule of the design.
SameAsDesign ==
  server.entity.exists => \A seen \in 0..(server.end + 1) : (server.entity.forgot > seen) = DesignForgets(seen)

=============================================================================
