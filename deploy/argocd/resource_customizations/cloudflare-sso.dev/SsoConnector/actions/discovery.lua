-- No call is made for a suspended object, and only what is held can be applied again: with one click only what enables SSO.
-- Where spec.enabled is false, it would disable what somebody has enabled by hand.
local suspended = obj.spec.suspend == true
local observed = obj.spec.managementPolicy == "Observe"
local enforcement = obj.status ~= nil and obj.status.enforcement or {}
local held = enforcement.state == "Held"
local enables = obj.spec.enabled == true

local actions = {}
actions["reconcile"] = { ["disabled"] = suspended }
actions["re-enable"] = { ["disabled"] = suspended or observed or not (held and enables) }
actions["suspend"] = { ["disabled"] = suspended }
actions["resume"] = { ["disabled"] = not suspended }
return actions
