-- Looked up once per call. Shared pieces are mostly statements that take and leave locals, not functions, because the
-- server creates every function again on each call: with twenty of them a transition took 25 % longer.
local call, find, sub = redis.call, string.find, string.sub
local LAYOUT = 'LAYOUT entity or machine was written by another version of latchkey, or is damaged'
local NOMACHINE = 'NOMACHINE apply it first'
