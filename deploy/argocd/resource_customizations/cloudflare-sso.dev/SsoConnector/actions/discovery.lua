-- No call is made for a suspended object, and only what is held can be applied again.
local suspended = obj.spec.suspend == true
local observed = obj.spec.managementPolicy == "Observe"
local enforcement = obj.status ~= nil and obj.status.enforcement or {}
local held = enforcement.state == "Held"

local actions = {}
actions["reconcile"] = { ["disabled"] = suspended }
actions["re-enable"] = { ["disabled"] = suspended or observed or not held }
actions["suspend"] = { ["disabled"] = suspended }
actions["resume"] = { ["disabled"] = not suspended }
return actions
