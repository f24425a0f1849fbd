-- Corrects the times of an entity that is dated ahead: they become now. Takes and leaves the times of the entity.
if changed > now then changed = now end
if entered > now then entered = now end
if renewed > now then renewed = now end
stay = ' ' .. entered .. ' ' .. renewed
