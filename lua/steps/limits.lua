-- Limits the fields that a caller sets. A timer may exceed the limits, because no caller can make room when it fires.
if set and (count > 64 or bytes > 262144) then return redis.error_reply('BADARG SET') end
