-- Rejects a call whose expectations of the entity do not hold. Takes the options, `state` and `version`.
if if_version and if_version ~= version + 0 or if_state and if_state ~= state then
  return { 'CONFLICT', snapshot(machine_key, id, entity), false }
end
