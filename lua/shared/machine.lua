-- One row of the compiled machine, as apply.lua packed it: everything a change into a state needs to know, read by
-- one HGET. Words between blanks, because a pattern splits those fastest. Returns nil where the layout is another.
local function read_rule(row)
  local _, _, ordinal, history, keep, due, stamp, channel, head, required, stamps =
    string.find(row, '^1 (%d+) (%d+) (%d+) (%d*) (%S*) (%S*) (%S*) (%S*) (%S*)$')
  return head and {
    ordinal = ordinal, -- position of the state in the index
    history = history + 0, -- changes the entity's log keeps
    keep = keep, -- entries the machine's stream keeps
    due = due ~= '' and due + 0 or nil, -- ms from entry to the first timer
    stamp = stamp, -- field to stamp on first entry, '' for none
    channel = channel,
    head = head, -- how every document of this change begins, up to the id
    required = required, -- fields that must be present, commas between them
    stamps = stamps, -- every stamp field of the machine, each between commas
  }
end
