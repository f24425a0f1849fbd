-- What a caller sets must leave room. What a timer sets may go beyond: nobody is there to make room when it fires.
if set and (count > 64 or bytes > 262144) then return redis.error_reply('BADARG SET') end
