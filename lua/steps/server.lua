-- Looked up once. The pieces that scripts share are mostly statements, which take and leave locals, and not functions:
-- the server makes every function anew on every call, and with twenty of them a transition took a quarter longer.
local call, find, sub = redis.call, string.find, string.sub
